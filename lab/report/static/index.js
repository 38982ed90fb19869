// Finds sections and experiments by words; hides what does not match.
(() => {
  const find = document.getElementById("find");
  const only = document.getElementById("only");
  const entries = [...document.querySelectorAll("[data-entry]")].map((node) => ({ node, text: node.textContent.toLowerCase() }));
  const apply = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { node, text } of entries) {
      const hidden = !words.every((word) => text.includes(word)) || (only.checked && !node.classList.contains("has"));
      node.hidden = hidden;
    }
    for (const chapter of document.querySelectorAll(".chapter")) {
      chapter.hidden = !chapter.querySelector("[data-entry]:not([hidden])");
    }
  };
  find.addEventListener("input", apply);
  only.addEventListener("change", apply);
})();
