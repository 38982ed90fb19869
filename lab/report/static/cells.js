// A cell of a latency heat map, chosen by a click in the chart or by the lists below it, shows its operations.
(() => {
  const source = document.getElementById("cells-data");
  const root = document.querySelector("[data-cells]");
  if (!source || !root) return;
  const { width, decade, variants, names } = JSON.parse(source.textContent);
  const [variant, column, row] = ["variant", "column", "row"].map((name) => root.querySelector(`[data-${name}]`));
  const out = root.querySelector("[data-operations]");
  const number = (value) => String(Number(value.toPrecision(3)));
  const wait = (ms) => (ms === null ? "no answer" : ms >= 1000 ? `${number(ms / 1000)} s` : `${number(ms)} ms`);
  const edge = (k) => wait(10 ** (k / decade));

  function node(tag, text = "", attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  function fill(select, choices, chosen) {
    select.replaceChildren(...choices.map(([value, text]) => node("option", text, { value })));
    if (choices.some(([value]) => value === chosen)) select.value = chosen;
  }

  const cellsOf = () => variants[variant.value].cells;
  const keys = () => Object.keys(cellsOf()).map((key) => key.split(":"));

  function columns(chosen) {
    const found = [...new Set(keys().map(([k]) => Number(k)))].sort((a, b) => a - b);
    fill(column, found.map((k) => [String(k), `${number(k * width)} to ${number((k + 1) * width)} s`]), chosen);
  }

  function rows(chosen) {
    const found = keys().filter(([k]) => k === column.value).map(([, r]) => r);
    const order = (r) => (r === "lost" ? Infinity : Number(r));
    found.sort((a, b) => order(b) - order(a));
    fill(row, found.map((r) => [r, r === "lost" ? "no answer" : `${edge(Number(r))} to ${edge(Number(r) + 1)}`]), chosen);
  }

  function show() {
    const found = cellsOf()[`${column.value}:${row.value}`] ?? [];
    out.replaceChildren(...found.map((operation, k) => one(operation, k === 0)));
  }

  function one([n, due, ms, name, outcome, answer, trace], open) {
    const spans = variants[variant.value].traces[trace];
    const head = `operation ${n}: ${names[name]}, due at ${number(due)} s, ${ms === null ? "never answered" : `waited ${wait(ms)}`}, ${names[outcome]} ${names[answer]}`;
    if (!spans) return node("p", `${head}${trace ? `; trace ${trace}… is in the logs` : ""}`, { class: "note" });
    const box = node("details", "", { class: "answers" });
    box.open = open;
    const whole = Math.max(ms ?? 0, ...spans.map((s) => s[3] + s[4]), 0.001);
    const list = node("ol", "", { class: "waterfall" });
    for (const [depth, service, what, start, took, said, failed] of [[0, null, name, 0, ms ?? whole, answer, names[outcome] !== "ok"], ...spans.map(([d, ...rest]) => [d + 1, ...rest])]) {
      const item = node("li", "", { style: `--depth:${depth}` });
      const label = node("span", "", { class: "label" });
      label.append(node("b", service === null ? "load" : names[service]), ` ${names[what]}`);
      const time = node("span", service === null ? wait(ms) : wait(took), { class: "took" });
      if (names[said]) time.append(" ", node("em", names[said], failed ? { class: "hurt" } : {}));
      const lane = node("span", "", { class: "lane", "aria-hidden": "true" });
      const left = Math.min(99.6, (100 * start) / whole);
      const kind = service === null ? "load" : names[what].includes("→") ? "client" : "server";
      lane.append(node("i", "", { class: `${kind}${failed ? " failed" : ""}`, style: `left:${left}%;width:${Math.min(100 - left, Math.max(0.4, (100 * took) / whole))}%` }));
      item.append(label, time, lane);
      list.append(item);
    }
    box.append(node("summary", head), list, node("p", `trace ${trace}`, { class: "note" }));
    return box;
  }

  function choose(name, chosenColumn, chosenRow) {
    if (!(`${chosenColumn}:${chosenRow}` in (variants[name]?.cells ?? {}))) return false;
    variant.value = name;
    columns(String(chosenColumn));
    rows(String(chosenRow));
    show();
    return true;
  }

  // A click in a live heat map: what stands there, in the chart's own scales.
  window.cellAt = (name, seconds, ms, highest) => {
    const k = Math.floor(seconds / width);
    const r = ms > highest ? "lost" : Math.floor(Math.log10(Math.max(ms, 1e-3)) * decade);
    if (choose(name, k, r)) root.scrollIntoView({ block: "nearest", behavior: "smooth" });
  };

  fill(variant, Object.keys(variants).map((name) => [name, name]));
  variant.addEventListener("change", () => { columns(); rows(); show(); });
  column.addEventListener("change", () => { rows(); show(); });
  row.addEventListener("change", show);
  columns();
  rows();
  show();
  root.hidden = false;
})();
