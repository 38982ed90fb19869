// Finds sections and experiments by words; hides what does not match, and unfolds what does.
(() => {
  const find = document.getElementById("find");
  const entries = [...document.querySelectorAll("[data-entry]")].map((node) => ({ node, text: node.textContent.toLowerCase() }));
  const chapters = [...document.querySelectorAll(".chapter")];
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { node, text } of entries) {
      node.hidden = !words.every((word) => text.includes(word));
    }
    for (const chapter of chapters) {
      chapter.hidden = words.length > 0 && !chapter.querySelector("[data-entry]:not([hidden])");
    }
    for (const list of document.querySelectorAll(".empty")) {
      list.parentElement.open = words.length > 0 && list.querySelector("[data-entry]:not([hidden])") !== null;
    }
  });
})();
