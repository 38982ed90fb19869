// Marks the section that is being read in the table of contents.
addEventListener("DOMContentLoaded", () => {
  const links = new Map([...document.querySelectorAll(".toc a")].map((link) => [link.hash.slice(1), link]));
  const watcher = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-15% 0px -80% 0px" });
  // On a small screen the contents lie over the page: they go when a section was chosen, or anything else was touched.
  const jump = document.querySelector(".jump");
  document.addEventListener("click", (event) => {
    if (jump?.open && (event.target.closest(".jump a") || !jump.contains(event.target))) jump.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && jump?.open) { jump.open = false; jump.querySelector("summary").focus(); }
  });
  document.querySelectorAll("main > section").forEach((section) => watcher.observe(section));
});
