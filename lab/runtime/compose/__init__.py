"""Services as containers of docker-compose.yml: the engine's API for what must be quick, Compose for the rest."""
