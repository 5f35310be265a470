"use strict";
// What the browser of events and the figures to choose share: unpacking, colours, elements.
const xaugPage = (() => {
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
  const views = { f4: Float32Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i1: Int8Array, i2: Int16Array };
  const unpack = (array) => new views[array.type](bytes(array.data));
  const runs = JSON.parse(document.getElementById("explored").textContent);
  const opened = new Map();

  // The arrays of a run, unpacked when it is first looked at.
  function open(index) {
    if (opened.has(index)) return opened.get(index);
    const run = { ...runs[index] };
    for (const name of ["rows", "label", "predicted", "score", "output", "values", "relevance"]) run[name] = unpack(run[name]);
    run.reference = run.reference && unpack(run.reference);
    if (run.image) {
      const { values, relevance, sum } = run.image;
      run.image = { ...run.image, shape: values.shape, codes: unpack(values), low: values.low, high: values.high,
        heat: unpack(relevance), scale: unpack(relevance.scale), sum: unpack(sum) };
    }
    if (run.list) {
      const { values, relevance, sums, mask } = run.list;
      run.list = { ...run.list, shape: values.shape, codes: unpack(values), low: values.low, high: values.high,
        entries: unpack(relevance), scale: unpack(relevance.scale), sums: unpack(sums), mask: unpack(mask) };
    }
    run.number = run.rows.length;
    opened.set(index, run);
    return run;
  }

  const theme = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const channels = (color) => {
    const six = color.length === 4 ? [...color.slice(1)].map((digit) => digit + digit).join("") : color.slice(1);
    return [0, 2, 4].map((at) => parseInt(six.slice(at, at + 2), 16));
  };
  const mix = (one, other, share) => {
    const [a, b] = [channels(one), channels(other)];
    return `rgb(${a.map((value, i) => Math.round(value + (b[i] - value) * share)).join(",")})`;
  };
  // Blue for positive relevance, orange for negative, the more the stronger; t is from -1 to 1.
  const signed = (t) => mix(theme("zero"), theme(t < 0 ? "background" : "signal"), Math.min(1, Math.sqrt(Math.abs(t))));
  const classColor = (label) => theme(label === 0 ? "background" : "signal");
  const number = (value, digits = 3) => {
    if (!Number.isFinite(value)) return "–";
    const text = Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(digits - 2) : String(Number(value.toPrecision(digits)));
    return text.replace("-", "−");
  };
  const unit = (variable) => (variable.unit ? ` ${variable.unit}` : "");

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }
  function drawn(tag, attributes = {}, text = "") {
    const made = document.createElementNS(document.getElementById("svg").namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text) made.textContent = text;
    return made;
  }
  // Label of a variable in MathML: markup that the report has made and escaped.
  function label(variable) {
    const made = element("span");
    made.innerHTML = variable.markup;
    return made;
  }
  function options(select, texts, values = texts.map((_, i) => i)) {
    select.replaceChildren(...texts.map((text, i) => element("option", { value: values[i] }, text)));
  }
  // A canvas of a size in CSS pixels, sharp on every screen; returns its context.
  function prepared(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "12px system-ui, sans-serif";
    return context;
  }
  // Width that a figure may take within its frame, in CSS pixels; text keeps its size on a phone.
  const room = (frame, most) => Math.max(280, Math.min(most, frame.clientWidth - 26 || most));
  // Draw again when the room of a frame, or the colours of the page, have changed.
  function watch(frame, draw) {
    let last = frame.clientWidth;
    addEventListener("resize", () => {
      if (frame.clientWidth === last) return;
      last = frame.clientWidth;
      draw();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }
  const named = (run, what) => (run.classes[what] === undefined ? `class ${what}` : run.classes[what]);
  function meaning(run) {
    if (run.target === "predicted") return "Blue supports the predicted class, orange opposes it.";
    return `Blue raises the explained output (${run.target || "the network's"}), orange lowers it.`;
  }
  return { runs, open, theme, mix, signed, classColor, number, unit, element, drawn, label, options, prepared, room, watch, named, meaning };
})();
