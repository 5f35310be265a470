// Figures to choose: all features as swarms, the profile of a variable, a map over two variables.
(() => {
  const { runs, open, theme, signed, mix, classColor, number, options, prepared, room, watch, named } = xaugPage;
  const find = (id) => document.getElementById(`explorer-${id}`);
  const panel = document.getElementById("explorer");
  const canvas = panel.querySelector("canvas");
  const [ROWS, FEW] = [12, 10];  // rows of swarms; events below which a bin is too uncertain to be read
  let run = null;

  const withUnit = (variable) => (variable.unit ? `${variable.text} [${variable.unit}]` : variable.text);
  const column = (values, width, k) => Float32Array.from({ length: run.number }, (_, i) => values[i * width + k]);
  const relevanceOf = (k) => column(run.relevance, run.features.length, k);
  const valuesOf = (k) => column(run.values, run.variables.length, k);
  const sorted = (values) => [...values].filter(Number.isFinite).sort((a, b) => a - b);
  const quantile = (ordered, share) => ordered[Math.min(ordered.length - 1, Math.floor(share * ordered.length))];
  // The range of a variable without its outermost percents, so that single events do not set the scale.
  function range(values, share = 0.01) {
    const ordered = sorted(values);
    if (!ordered.length) return [0, 1];
    const [low, high] = [quantile(ordered, share), quantile(ordered, 1 - share)];
    return high > low ? [low, high] : [low - 0.5, low + 0.5];
  }
  // So many bins that few of them hold fewer than FEW events: of one class on one axis, of all classes on two.
  const binsFor = (events, most) => Math.max(5, Math.min(most, Math.floor(events)));
  const inside = (value, low, high) => Math.max(low, Math.min(high, value));

  function chooseRun() {
    run = open(Number(find("run").value));
    const mean = run.features.map((_, k) => relevanceOf(k).reduce((sum, value) => sum + Math.abs(value), 0));
    const order = [...run.features.keys()].sort((a, b) => mean[b] - mean[a]);
    run.order = order;
    options(find("feature"), order.map((k) => run.features[k].text), order);
    const places = order.map((k) => run.variables.findIndex((one) => one.name === run.features[k].name)).filter((k) => k >= 0);
    const all = [...places, ...[...run.variables.keys()].filter((k) => !places.includes(k))];
    for (const name of ["x", "y"]) options(find(name), all.map((k) => withUnit(run.variables[k])), all);
    if (all.length > 1) find("y").value = all[1];
    const feature = order.find((k) => run.variables.some((one) => one.name === run.features[k].name));
    if (feature !== undefined) find("feature").value = feature;
    draw();
  }
  function draw() {
    const wanted = run.variables.length ? find("figure").value : "swarm";
    find("figure").closest("label").hidden = run.variables.length === 0;
    find("feature").closest("label").hidden = wanted === "swarm";
    find("x").closest("label").hidden = wanted === "swarm";
    find("y").closest("label").hidden = wanted !== "map";
    const text = { swarm, profile, map }[wanted]();
    find("words").textContent = `${run.name}, ${run.number} ${run.noun}, training 1. ${text}`;
    canvas.setAttribute("aria-label", text);
  }
  // Round numbers within a range, about `most` of them: multiples of 1, 2 or 5 times a power of ten.
  function ticks([low, high], most) {
    const rough = (high - low) / most;
    if (!(rough > 0)) return [low];
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * power).find((one) => one >= rough * 0.999);
    const first = Math.ceil(low / step - 1e-9);
    return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, k) => (first + k) * step);
  }
  function axes(context, box, x, y, xText, yText) {
    context.strokeStyle = context.fillStyle = theme("ink");
    context.strokeRect(box.left, box.top, box.width, box.height);
    context.textAlign = "center";
    const [bottom, mark] = [box.top + box.height, 4];
    for (const value of ticks(x, box.width < 260 ? 3 : 6)) {
      const at = box.left + (box.width * (value - x[0])) / (x[1] - x[0] || 1);
      context.fillRect(at, bottom - mark, 1, mark);
      context.fillText(number(value, 3), at, bottom + 16);
    }
    context.fillText(xText, box.left + box.width / 2, box.top + box.height + 36);
    if (!y) return;
    context.textAlign = "right";
    for (const value of ticks(y, 5)) {
      const at = bottom - (box.height * (value - y[0])) / (y[1] - y[0] || 1);
      context.fillRect(box.left, at, mark, 1);
      context.fillText(number(value, 3), box.left - 6, at + 4);
    }
    context.save();
    context.translate(14, box.top + box.height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(yText, 0, 0);
    context.restore();
  }
  const RELEVANCE = "relevance in units of the output";

  function swarm() {
    const shown = run.order.slice(0, ROWS);
    const row = 30;
    const width = room(panel, 760);
    const left = Math.min(190, 0.35 * width);
    const box = { left, top: 10, width: width - left - 30, height: row * shown.length };
    const context = prepared(canvas, width, box.height + 60);
    const all = shown.map(relevanceOf);
    const ends = all.map((values) => range(values, 0.005));
    const [low, high] = [Math.min(0, ...ends.map((one) => one[0])), Math.max(0, ...ends.map((one) => one[1]))];
    const x = (value) => box.left + ((inside(value, low, high) - low) / (high - low || 1)) * box.width;
    axes(context, box, [low, high], null, RELEVANCE, "");
    context.beginPath();
    context.moveTo(x(0), box.top); context.lineTo(x(0), box.top + box.height);
    context.strokeStyle = theme("soft");
    context.stroke();
    shown.forEach((k, place) => {
      const middle = box.top + row * (place + 0.5);
      context.fillStyle = theme("ink");
      context.textAlign = "right";
      context.fillText(run.features[k].text, box.left - 8, middle + 4);
      const filled = new Map();  // events in each pixel of the row: the next ones go above and below by turns
      const own = run.variables.findIndex((one) => one.name === run.features[k].name);
      const values = own < 0 ? null : valuesOf(own);
      const [least, most] = values ? range(values, 0.05) : [0, 1];
      all[place].forEach((value, i) => {
        if (!Number.isFinite(value)) return;
        const at = Math.round(x(value) / 2);
        const count = filled.get(at) || 0;
        filled.set(at, count + 1);
        const shift = Math.min(row / 2 - 3, Math.ceil(count / 2) * 1.2) * (count % 2 ? 1 : -1);
        context.fillStyle = values ? mix(theme("line"), theme("ink"), inside((values[i] - least) / (most - least), 0, 1)) : classColor(run.label[i]);
        context.globalAlpha = 0.8;
        context.fillRect(x(value) - 1.2, middle + shift - 1.2, 2.4, 2.4);
      });
      context.globalAlpha = 1;
    });
    const rest = run.features.length - shown.length;
    return `A point is an event; its place is the relevance of the feature in units of the explained output (not normalised), its shade the value of the variable ` +
      `(pale: low, strong: high), or its class where the feature is not one variable. Features are ordered by mean ` +
      `absolute relevance${rest > 0 ? `; ${rest} further ones are not shown` : ""}. Outermost points stand at the edges.`;
  }
  function profile() {
    const [feature, variable] = [Number(find("feature").value), Number(find("x").value)];
    const [values, relevance] = [valuesOf(variable), relevanceOf(feature)];
    const [low, high] = range(values);
    const [bottom, top] = range(relevance);
    const width = room(panel, 760);
    const box = { left: 80, top: 24, width: width - 110, height: 340 };
    const context = prepared(canvas, width, 420);
    const x = (value) => box.left + ((inside(value, low, high) - low) / (high - low)) * box.width;
    const y = (value) => box.top + box.height - ((inside(value, bottom, top) - bottom) / (top - bottom)) * box.height;
    const classes = [...new Set(run.label)].sort();
    const BINS = binsFor(run.number / classes.length / 40, 12);
    classes.forEach((of, place) => {
      context.fillStyle = context.strokeStyle = classes.length > 2 && of > 1 ? mix(theme("soft"), theme("ink"), of / classes.length) : classColor(of);
      context.globalAlpha = 0.35;
      const bins = Array.from({ length: BINS }, () => []);
      for (let i = 0; i < run.number; i++) {
        if (run.label[i] !== of || !Number.isFinite(values[i]) || !Number.isFinite(relevance[i])) continue;
        context.fillRect(x(values[i]) - 1.2, y(relevance[i]) - 1.2, 2.4, 2.4);
        bins[Math.min(BINS - 1, Math.floor(((inside(values[i], low, high) - low) / (high - low)) * BINS))].push(relevance[i]);
      }
      context.globalAlpha = 1;
      context.lineWidth = 2.5;
      bins.forEach((own, k) => {
        if (own.length < 3) return;
        context.globalAlpha = own.length < FEW ? 0.45 : 1;
        const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
        const error = Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (own.length - 1) / own.length);
        const [from, to] = [k, k + 1].map((edge) => box.left + (edge * box.width) / BINS);
        context.beginPath();
        context.moveTo(from, y(mean)); context.lineTo(to, y(mean));
        context.moveTo((from + to) / 2, y(mean - error)); context.lineTo((from + to) / 2, y(mean + error));
        context.stroke();
      });
      context.globalAlpha = context.lineWidth = 1;
      context.textAlign = "left";
      context.fillText(`■ ${named(run, of)}`, box.left + Math.min(150, box.width / classes.length) * place, 16);
    });
    axes(context, box, [low, high], [bottom, top], withUnit(run.variables[variable]), `relevance of ${run.features[feature].text}, in units of the output`);
    return `Relevance of ${run.features[feature].text}, in units of the explained output (not normalised), against ${run.variables[variable].text}: points are events, bars are means in bins ` +
      `with their errors, for each true class. Bars of bins with fewer than ${FEW} events are pale, and those of fewer than 3 are left out; outermost points stand at the edges.`;
  }
  function map() {
    const [feature, first, second] = ["feature", "x", "y"].map((name) => Number(find(name).value));
    const [a, b, relevance] = [valuesOf(first), valuesOf(second), relevanceOf(feature)];
    const [x, y] = [range(a), range(b)];
    const width = room(panel, 680);
    const box = { left: 80, top: 10, width: width - 180, height: 360 };
    const bar = box.left + box.width + 24;
    const context = prepared(canvas, width, 424);
    const CELLS = binsFor(Math.sqrt(run.number / FEW), 14);
    const [sums, counts] = [new Float64Array(CELLS * CELLS), new Uint32Array(CELLS * CELLS)];
    const cell = (value, [low, high]) => Math.min(CELLS - 1, Math.floor(((inside(value, low, high) - low) / (high - low)) * CELLS));
    for (let i = 0; i < run.number; i++) {
      if (![a[i], b[i], relevance[i]].every(Number.isFinite)) continue;
      const at = cell(b[i], y) * CELLS + cell(a[i], x);
      sums[at] += relevance[i];
      counts[at]++;
    }
    const means = [...sums].map((sum, k) => (counts[k] ? sum / counts[k] : NaN));
    const scale = quantile(sorted(means.filter(Number.isFinite).map(Math.abs)), 0.95) || 1;
    const [dx, dy] = [box.width / CELLS, box.height / CELLS];
    means.forEach((mean, k) => {
      if (!Number.isFinite(mean)) return;
      context.fillStyle = signed(mean / scale);
      context.fillRect(box.left + (k % CELLS) * dx, box.top + box.height - (Math.floor(k / CELLS) + 1) * dy, dx + 0.4, dy + 0.4);
      if (counts[k] >= FEW) return;  // hatched: too few events for a mean
      context.strokeStyle = theme("soft");
      context.beginPath();
      context.moveTo(box.left + (k % CELLS) * dx, box.top + box.height - Math.floor(k / CELLS) * dy);
      context.lineTo(box.left + (k % CELLS + 1) * dx, box.top + box.height - (Math.floor(k / CELLS) + 1) * dy);
      context.stroke();
    });
    for (let k = 0; k < 100; k++) {
      context.fillStyle = signed(k / 49.5 - 1);
      context.fillRect(bar, box.top + box.height * (1 - (k + 1) / 100), 18, box.height / 100 + 0.4);
    }
    context.fillStyle = theme("ink");
    context.textAlign = "left";
    [-scale, 0, scale].forEach((value, k) => context.fillText(number(value), bar + 24, box.top + box.height * (1 - k / 2) + [0, 4, 10][k]));
    axes(context, box, x, y, withUnit(run.variables[first]), withUnit(run.variables[second]));
    return `Mean relevance of ${run.features[feature].text}, in units of the explained output (not normalised), over ${run.variables[first].text} and ${run.variables[second].text}: blue is positive, ` +
      `orange negative. Cells with fewer than ${FEW} events are struck through; outermost events are in the outer cells.`;
  }
  options(find("run"), runs.map((one) => one.name));
  find("run").closest("label").hidden = runs.length < 2;
  find("run").addEventListener("change", chooseRun);
  for (const name of ["figure", "feature", "x", "y"]) find(name).addEventListener("change", draw);
  find("feature").addEventListener("change", () => {
    const own = run.variables.findIndex((one) => one.name === run.features[Number(find("feature").value)].name);
    if (own >= 0 && find("figure").value === "profile") { find("x").value = own; draw(); }
  });
  watch(panel, draw);
  panel.hidden = false;
  chooseRun();
})();
