// Light or dark: the reader's choice where there is one, else the system's. Runs before the first paint.
(() => {
  const root = document.documentElement;
  const remembered = () => { try { return localStorage.getItem("lab-theme"); } catch { return null; } };
  const chosen = remembered();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-switch]");
    button?.addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem("lab-theme", root.dataset.theme); } catch { /* a private window forgets */ }
    });
  });
})();
