# Toxiproxy alone, like the image it stands for; the context is a folder with its two programs.
FROM scratch
COPY toxiproxy toxiproxy-cli /
USER 65532:65532
ENTRYPOINT ["/toxiproxy"]
CMD ["-host=0.0.0.0"]
