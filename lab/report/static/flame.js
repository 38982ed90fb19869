// Flame graphs from collapsed stacks: one tree a service and phase with the samples of every variant, so that a
// variant, or the difference of two, is a view of the same tree. Outermost calls on top.
(() => {
  const source = document.getElementById("flame-data");
  const root = document.querySelector("[data-flames]");
  if (!source || !root) return;
  const { variants, names, graphs } = JSON.parse(source.textContent);
  const [controls, key, graph, facts] = ["controls", "key", "graph", "facts"].map((n) => root.querySelector(`[data-${n}]`));
  const ROW = 20, MIN_SHARE = 0.0015;
  const services = [...new Set(graphs.map((g) => g.service))];
  const state = { service: services[0], phase: null, show: variants.length > 1 ? "difference" : variants[0], zoom: [], search: "" };
  const help = facts.textContent;

  const current = () => graphs.find((g) => g.service === state.service && g.phase === state.phase);
  const phases = () => graphs.filter((g) => g.service === state.service).map((g) => g.phase);
  const percent = (share) => `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;
  const points = (delta) => `${delta >= 0 ? "+" : "−"}${Math.abs(delta * 100).toFixed(1)} points`;

  function choices(label, options, chosen, pick) {
    const group = document.createElement("div");
    group.className = "choices";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    for (const option of options) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = option;
      button.setAttribute("aria-pressed", String(option === chosen));
      button.addEventListener("click", () => pick(option));
      group.append(button);
    }
    return group;
  }

  function drawControls() {
    const parts = [];
    if (services.length > 1) parts.push(choices("Service", services, state.service, (s) => { state.service = s; reset(); }));
    parts.push(choices("Phase", phases(), state.phase, (p) => { state.phase = p; reset(); }));
    if (variants.length > 1) {
      parts.push(choices("View", [...variants, "difference"], state.show, (v) => { state.show = v; reset(); }));
    }
    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = "Search frames";
    search.setAttribute("aria-label", "Search frames");
    search.value = state.search;
    search.addEventListener("input", () => { state.search = search.value; drawGraph(); });
    const out = document.createElement("button");
    out.type = "button";
    out.className = "out";
    out.textContent = "Zoom out";
    out.addEventListener("click", () => { state.zoom = []; drawGraph(); });
    controls.replaceChildren(...parts, search, out);
  }

  function reset() {
    if (!phases().includes(state.phase)) state.phase = phases().includes("fault") ? "fault" : phases()[0];
    state.zoom = [];
    drawControls();
    drawGraph();
  }

  // Shares of a frame: of each variant's samples; its width is what is shown.
  function shares(frame) {
    const { samples } = current();
    return frame[1].map((count, k) => (samples[k] ? count / samples[k] : 0));
  }
  function measure(frame) {
    const found = shares(frame);
    if (state.show !== "difference") {
      const share = found[variants.indexOf(state.show)];
      return { width: share, share, delta: 0, found };
    }
    const before = found[0], after = found[found.length - 1];
    return { width: (before + after) / 2, share: after, delta: after - before, found };
  }

  function colour(name, delta, most) {
    if (state.show === "difference") {
      const strength = Math.min(1, Math.abs(delta) / most) ** 0.7;
      return `color-mix(in oklab, var(${delta >= 0 ? "--grew" : "--shrank"}) ${Math.round(strength * 85)}%, var(--flat))`;
    }
    const module = (/\(([^:)]*)/.exec(name)?.[1] ?? name).split("/")[0];
    let hash = 0;
    for (const letter of module) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
    return `var(--flame-${hash % 5})`;
  }

  function layout(focus) {
    const boxes = [];
    const top = measure(focus).width || 1;
    const visit = (frame, depth, x, parent) => {
      const size = measure(frame);
      const box = { frame, depth, x, w: size.width / top, ...size, parent, index: boxes.length, children: [] };
      boxes.push(box);
      parent?.children.push(box);
      let at = x;
      for (const child of frame[2]) {
        const w = measure(child).width / top;
        if (w >= MIN_SHARE) visit(child, depth + 1, at, box);
        at += w;
      }
    };
    visit(focus, 0, 0, null);
    return boxes;
  }

  function drawGraph(focusOn = 0) {
    const path = state.zoom;
    const focus = path.length ? path[path.length - 1] : current().root;
    const boxes = layout(focus);
    const wanted = state.search.trim().toLowerCase();
    const most = Math.max(0.02, ...boxes.map((b) => Math.abs(b.delta)));
    const nodes = boxes.map((box) => {
      const name = names[box.frame[0]];
      const node = document.createElement("div");
      node.className = state.show === "difference" ? "frame diff" : "frame";
      node.setAttribute("role", "treeitem");
      node.setAttribute("aria-level", String(box.depth + 1));
      if (box.children.length) node.setAttribute("aria-expanded", "true");
      node.tabIndex = box.index === focusOn ? 0 : -1;
      node.style.cssText = `left:${box.x * 100}%;width:${box.w * 100}%;top:${box.depth * ROW}px;background:${colour(name, box.delta, most)}`;
      const text = state.show === "difference" && Math.abs(box.delta) >= 0.005 ? `${points(box.delta).replace(" points", "")} ${name}` : name;
      node.textContent = box.w * graph.clientWidth > 26 ? text : "";
      node.setAttribute("aria-label", describe(box));
      box.hit = wanted !== "" && name.toLowerCase().includes(wanted);
      if (wanted) node.classList.add(box.hit ? "hit" : "miss");
      node.addEventListener("pointerenter", () => { facts.textContent = describe(box); });
      node.addEventListener("focus", () => { facts.textContent = describe(box); });
      node.addEventListener("click", () => zoom(box, boxes));
      node.addEventListener("keydown", (event) => steer(event, box, boxes, nodes));
      return node;
    });
    graph.style.height = `${(Math.max(...boxes.map((b) => b.depth)) + 1) * ROW}px`;
    graph.replaceChildren(...nodes);
    drawKey(boxes, wanted, most);
    if (!graph.matches(":hover")) facts.textContent = help;
  }

  function describe(box) {
    const name = names[box.frame[0]];
    if (state.show !== "difference") return `${name}: ${percent(box.share)} of samples (${box.frame[1][variants.indexOf(state.show)].toLocaleString("en")})`;
    return `${name}: ${variants.map((v, k) => `${v} ${percent(box.found[k])}`).join(", ")}; ${points(box.delta)}`;
  }

  function drawKey(boxes, wanted, most) {
    const { samples } = current();
    const parts = [];
    if (state.show === "difference") {
      parts.push(`<span><i class="shrank"></i>less in ${escape(variants.at(-1))}</span><span><i class="flat"></i>same</span><span><i class="grew"></i>more in ${escape(variants.at(-1))}</span><span>width: mean share of samples; full colour: ${(most * 100).toFixed(1)} points; ${escape(counted(samples))}</span>`);
    } else {
      parts.push(`<span>${samples[variants.indexOf(state.show)].toLocaleString("en")} samples; width: share of samples; hue: package</span>`);
    }
    if (wanted) parts.push(`<span class="found">${escape(found(boxes))}</span>`);
    key.innerHTML = parts.join("");
  }

  // Few samples make great differences: say how many there were.
  const counted = (samples) => samples.map((count, k) => `${variants[k]} ${count.toLocaleString("en")}`).join(", ") + " samples";

  // Frames below another hit are part of it: nothing counts twice.
  function found(boxes) {
    const under = new Set();
    let share = 0, delta = 0, count = 0;
    for (const box of boxes) {
      if (under.has(box.parent)) { under.add(box); continue; }
      if (!box.hit) continue;
      under.add(box);
      share += box.share; delta += box.delta; count += 1;
    }
    if (!count) return `no frame has “${state.search.trim()}”`;
    const where = state.show === "difference" ? `${percent(share)} of ${variants.at(-1)}, ${points(delta)}` : `${percent(share)} of samples`;
    return `“${state.search.trim()}”: ${where}`;
  }

  const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

  function zoom(box, boxes) {
    if (box.index === 0) state.zoom = state.zoom.slice(0, -1);
    else state.zoom = [...state.zoom, box.frame];
    drawGraph();
    graph.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
  }

  function steer(event, box, boxes, nodes) {
    const siblings = box.parent ? box.parent.children : [box];
    const at = siblings.indexOf(box);
    const to = {
      ArrowUp: box.parent, ArrowDown: box.children[0], ArrowLeft: siblings[at - 1], ArrowRight: siblings[at + 1],
      Home: boxes[0], End: boxes[boxes.length - 1],
    }[event.key];
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); zoom(box, boxes); return; }
    if (event.key === "Escape") { state.zoom = []; drawGraph(); graph.querySelector("[tabindex='0']")?.focus({ preventScroll: true }); return; }
    if (!to) return;
    event.preventDefault();
    nodes[box.index].tabIndex = -1;
    nodes[to.index].tabIndex = 0;
    nodes[to.index].focus();
  }

  reset();
})();
