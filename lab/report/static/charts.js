// Makes the charts live when they come near the screen: tooltips, and one cursor through all charts over time.
// Colours are CSS variables in the drawings, so the theme changes them without drawing again.
(() => {
  const tip = document.querySelector(".tip");
  const live = new Map(); // figure -> {view, cursor}

  function showTip(_handler, event, _item, text) {
    if (text === null || text === undefined || text === "") { tip.hidden = true; return; }
    tip.textContent = typeof text === "object" ? text.tip ?? Object.values(text)[0] : text;
    tip.hidden = false;
    const { innerWidth: w, innerHeight: h } = window;
    const box = tip.getBoundingClientRect();
    const x = event.clientX + 14 + box.width > w ? event.clientX - box.width - 10 : event.clientX + 14;
    const y = event.clientY + 16 + box.height > h ? event.clientY - box.height - 10 : event.clientY + 16;
    tip.style.left = `${Math.max(4, x)}px`;
    tip.style.top = `${Math.max(4, y)}px`;
  }

  // The plot's upper left corner in its drawing: Vega's origin does not count the padding around it.
  function corner(view) {
    const [x, y] = view.origin();
    const { left, top } = view.padding();
    return [x + left, y + top];
  }

  function moveCursors(event, from) {
    const { view } = live.get(from);
    const left = from.querySelector(".live svg").getBoundingClientRect().left + corner(view)[0];
    const at = event === null ? null : view.scale("x").invert(event.clientX - left);
    for (const [figure, other] of live) {
      if (!figure.classList.contains("timeline")) continue;
      const scale = other.view.scale("x");
      const [first, last] = scale.domain();
      const inside = at !== null && at >= first && at <= last;
      other.cursor.hidden = !inside;
      if (inside) {
        const [x, y] = corner(other.view);
        other.cursor.style.left = `${x + scale(at)}px`;
        other.cursor.style.top = `${y}px`;
        other.cursor.style.height = `${other.view.height()}px`;
      }
    }
  }

  async function activate(figure) {
    const plot = figure.querySelector(".plot");
    const spec = document.getElementById(`spec-${figure.dataset.chart}`);
    if (!spec || live.has(figure)) return;
    const place = document.createElement("div");
    place.className = "live drawing";
    place.setAttribute("aria-hidden", "true");
    plot.append(place);
    const view = new vega.View(vega.parse(JSON.parse(spec.textContent)), { renderer: "svg", container: place });
    view.tooltip(showTip);
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    cursor.hidden = true;
    live.set(figure, { view, cursor });
    await view.runAsync();
    plot.querySelector(".still")?.remove();
    place.classList.remove("drawing");
    place.append(cursor);
    if (figure.dataset.heat !== undefined && window.cellAt) {
      place.classList.add("cells");
      place.addEventListener("click", (event) => {
        const box = place.querySelector("svg").getBoundingClientRect();
        const [x, y] = corner(view);
        const at = (name, pixels) => view.scale(name).invert(pixels);
        const ms = at("y", event.clientY - box.top - y);
        window.cellAt(figure.dataset.heat, at("x", event.clientX - box.left - x), ms, Number(figure.dataset.highest));
      });
    }
    if (figure.classList.contains("timeline")) {
      place.addEventListener("pointermove", (event) => moveCursors(event, figure));
      place.addEventListener("pointerleave", () => { moveCursors(null, figure); tip.hidden = true; });
    }
  }

  addEventListener("DOMContentLoaded", () => {
    if (!window.vega) return;
    const watcher = new IntersectionObserver((seen) => {
      for (const { isIntersecting, target } of seen) {
        if (!isIntersecting) continue;
        watcher.unobserve(target);
        activate(target);
      }
    }, { rootMargin: "600px 0px" });
    document.querySelectorAll("figure[data-chart]").forEach((figure) => watcher.observe(figure));
  });

  // What is folded on the screen is unfolded on paper.
  const folded = [];
  addEventListener("beforeprint", () => {
    for (const node of document.querySelectorAll("details:not([open])")) { node.open = true; folded.push(node); }
  });
  addEventListener("afterprint", () => { while (folded.length) folded.pop().open = false; });
})();
