// The browser of events: image and heat map, waterfall of the features, particle list; filters and keys.
(() => {
  const { runs, open, theme, mix, signed, number, unit, element, drawn, label, options, prepared, room, watch, named, meaning } = xaugPage;
  const find = (id) => document.getElementById(`browser-${id}`);
  const panel = document.getElementById("browser");
  const [BARS, NEAR] = [14, 6];
  const finite = (value) => (Number.isFinite(value) ? value : 0);
  let [run, shown, at] = [null, [], 0];

  function chooseRun() {
    run = open(Number(find("run").value));
    options(find("class"), ["all", ...run.classes], ["", ...run.classes.keys()]);
    const part = run.number < run.total ? `${run.number} of ${run.total} explained ${run.noun}` : `${run.number} ${run.noun}`;
    find("words").textContent = `${part} of ${run.sample}, training 1; ${run.words}. Relevances are in units of the explained output, not normalised.`;
    filter();
  }
  function filter() {
    const [of, decision, order] = ["class", "decision", "order"].map((name) => find(name).value);
    const [low, high] = find("score").value.split(",").map(Number);
    shown = [...run.rows.keys()].filter((i) =>
      (of === "" || run.label[i] === Number(of)) &&
      (decision === "" || (run.label[i] === run.predicted[i]) === (decision === "1")) &&
      run.score[i] >= low && (run.score[i] < high || high === 1));
    if (order !== "row") shown.sort((a, b) => (order === "up" ? 1 : -1) * (run.score[a] - run.score[b]));
    go(0);
  }
  function go(to) {
    at = Math.max(0, Math.min(shown.length - 1, to));
    find("previous").disabled = at <= 0;
    find("next").disabled = at >= shown.length - 1;
    panel.querySelector(".parts").hidden = shown.length === 0;
    if (shown.length === 0) find("facts").textContent = "No event passes these filters.";
    else draw(shown[at]);
  }
  function draw(i) {
    const right = run.label[i] === run.predicted[i] ? "correct" : `wrong, taken for ${named(run, run.predicted[i])}`;
    find("facts").textContent =
      `${at + 1} of ${shown.length}: row ${run.rows[i]}, true class ${named(run, run.label[i])}, ` +
      `score of ${run.score_of} ${number(run.score[i])} (${right}).`;
    drawImage(i);
    drawFeatures(i);
    drawNeighbours(i);
    drawList(i);
  }
  // The nearest events by the expert variables, each in units of its standard deviation over the events of the page.
  function nearest(i) {
    const width = run.variables.length;
    const column = (k) => Float64Array.from({ length: run.number }, (_, j) => run.values[j * width + k]);
    run.units ??= run.variables.map((_, k) => {
      const own = column(k).filter(Number.isFinite);
      const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
      return Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (own.length - 1));
    });
    const used = [...run.units.keys()].filter((k) => run.units[k] > 0 && Number.isFinite(run.values[i * width + k]));
    const distance = (j) => Math.sqrt(used.reduce((sum, k) => sum + ((run.values[j * width + k] - run.values[i * width + k]) / run.units[k]) ** 2, 0));
    const others = [...run.rows.keys()].filter((j) => j !== i).map((j) => ({ j, distance: distance(j) }));
    return [others.filter((one) => Number.isFinite(one.distance)).sort((a, b) => a.distance - b.distance).slice(0, NEAR), used.length];
  }
  function drawNeighbours(i) {
    const [found, used] = nearest(i);
    find("neighbours").hidden = used === 0 || found.length === 0;
    if (find("neighbours").hidden) return;
    const head = element("tr", {}, ...["row", "true class", "score", "output", "distance", ""].map((text) => element("th", { scope: "col" }, text)));
    const body = element("tbody");
    for (const { j, distance } of found) {
      const button = element("button", { type: "button", "aria-label": `show row ${run.rows[j]}` }, "show");
      button.addEventListener("click", () => showEvent(j));
      body.append(element("tr", {}, element("th", { scope: "row" }, String(run.rows[j])), element("td", {}, named(run, run.label[j])),
        ...[run.score[j], run.output[j], distance].map((value) => element("td", { class: "n" }, number(value))), element("td", {}, button)));
    }
    find("neighbours").querySelector(".wide").replaceChildren(element("table", {}, element("thead", {}, head), body));
    const alike = found.filter(({ j }) => run.label[j] === run.label[i]).length;
    find("neighbours").querySelector(".key").textContent =
      `The nearest of the ${run.number} ${run.noun} of this page by ${used} variables, each in units of its standard deviation; ${alike} of ${found.length} have the same true class.`;
  }
  function showEvent(j) {
    if (!shown.includes(j)) {
      for (const name of ["class", "decision"]) find(name).value = "";
      find("score").value = "0,1";
      filter();
    }
    go(shown.indexOf(j));
  }
  function drawPixels(box, color, text) {
    const { shape, half_width: half, x, y, subjets } = run.image;
    const [rows, columns] = [shape[1], shape[2]];
    const canvas = box.querySelector("canvas");
    const [side, left, top] = [256, 44, 6];
    const context = prepared(canvas, side + left + 12, side + top + 40);
    const [dx, dy] = [side / columns, side / rows];
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {  // rows of the array go upwards, as in the figures
        context.fillStyle = color(r * columns + c);
        context.fillRect(left + c * dx, top + side - (r + 1) * dy, dx + 0.4, dy + 0.4);
      }
    context.strokeStyle = context.fillStyle = theme("ink");
    context.strokeRect(left, top, side, side);
    const ends = half ? [-half, 0, half] : [0, columns / 2, columns];
    const vertical = half ? ends : [0, rows / 2, rows];
    context.textAlign = "center";
    ends.forEach((value, k) => context.fillText(number(value, 2), left + (k * side) / 2, top + side + 15));
    context.fillText(x, left + side / 2, top + side + 32);
    context.textAlign = "right";
    vertical.forEach((value, k) => context.fillText(number(value, 2), left - 4, top + side - (k * side) / 2 + (k === 2 ? 10 : k ? 4 : 0)));
    context.save();
    context.translate(11, top + side / 2 - 24);
    context.rotate(-Math.PI / 2);
    context.fillText(y, 0, 0);
    context.restore();
    if (half) for (const [px, py] of subjets) {
      const [cx, cy] = [left + (side * (px + half)) / (2 * half), top + side - (side * (py + half)) / (2 * half)];
      context.beginPath();
      context.moveTo(cx - 5, cy); context.lineTo(cx + 5, cy); context.moveTo(cx, cy - 5); context.lineTo(cx, cy + 5);
      context.stroke();
    }
    canvas.setAttribute("aria-label", text);
  }
  function drawImage(i) {
    const image = run.image;
    find("image").hidden = find("heat").hidden = !image;
    if (!image) return;
    const [, rows, columns] = image.shape;
    const first = i * rows * columns;
    const full = image.codes.subarray(first, first + rows * columns).filter((code) => code > 0).length;
    drawPixels(find("image"), (k) => {
      const code = image.codes[first + k];
      return code === 0 ? theme("paper") : mix(theme("zero"), theme("ink"), 0.08 + (0.92 * (code - 1)) / 254);
    }, `Image of this event; ${full} pixels are not empty.`);
    find("image").querySelector(".key").replaceChildren(label(image),
      ` from ${number(image.low)} (light) to ${number(image.high)} (strong), logarithmic. ${image.note}`);
    const total = image.sum[i];  // of all pixels before they were rounded
    drawPixels(find("heat"), (k) => signed(image.heat[first + k] / 127),
      `Relevance of the pixels of this event; their sum is ${number(total)}.`);
    find("heat").querySelector(".key").textContent =
      `Strongest pixel ±${number(image.scale[i])}, sum ${number(total)}. ${meaning(run)}`;
  }
  function bars(i) {
    const width = run.features.length;
    const all = run.features.map((feature, k) => ({ feature, value: finite(run.relevance[i * width + k]) }));
    all.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    const first = all.slice(0, all.length > BARS + 1 ? BARS : all.length);
    const rest = all.slice(first.length);
    const found = first.map(({ feature, value }) => {
      const column = run.variables.findIndex((one) => one.name === feature.name);
      const own = column < 0 ? "" : ` = ${number(run.values[i * run.variables.length + column])}${unit(run.variables[column])}`;
      return { text: `${feature.text}${own}`, value };
    });
    if (rest.length) found.push({ text: `${rest.length} other features`, value: rest.reduce((sum, one) => sum + one.value, 0) });
    return found;
  }
  function drawFeatures(i) {
    const start = run.reference ? finite(run.reference[i]) : 0;
    const steps = bars(i);
    let sum = start;
    for (const step of steps) { step.from = sum; sum += step.value; step.to = sum; }
    const output = finite(run.output[i]);
    const lost = run.features.some((_, k) => !Number.isFinite(run.relevance[i * run.features.length + k]));
    if (Math.abs(output - sum) > 1e-4 * Math.max(1, Math.abs(output))) steps.push({ text: "not accounted for", value: output - sum, from: sum, to: output, rest: true });
    const ends = [start, output, ...steps.map((step) => step.to)];
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const width = room(panel, 720);
    const [left, right, line] = [Math.min(210, 0.44 * width), width - 74, 22];
    const letters = Math.floor((left - 12) / 7.4);
    const x = (value) => left + ((right - left) * (value - low)) / (high - low || 1);
    const height = line * steps.length + 44;
    const picture = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, class: "bars", role: "img",
      "aria-label": `Waterfall from ${number(start)} to the output ${number(output)}: ` + steps.map((step) => `${step.text}: ${number(step.value)}`).join("; ") });
    for (const [value, row, text] of [[start, 0, run.reference ? "baseline" : "zero"], [output, steps.length, "output"]]) {
      picture.append(drawn("line", { x1: x(value), x2: x(value), y1: 18, y2: height - 18, stroke: theme("soft"), "stroke-dasharray": "3 3" }));
      picture.append(drawn("text", { x: x(value), y: row ? height - 4 : 12, "text-anchor": x(value) > right - 60 ? "end" : x(value) < left + 60 ? "start" : "middle", class: "soft" }, `${text} ${number(value)}`));
    }
    steps.forEach((step, k) => {
      const y = 20 + k * line;
      const [a, b] = [x(step.from), x(step.to)].sort((one, other) => one - other);
      const fill = step.rest ? theme("soft") : theme(step.value < 0 ? "background" : "signal");
      picture.append(drawn("text", { x: left - 8, y: y + 15, "text-anchor": "end" }, step.text.length > letters ? `${step.text.slice(0, letters - 1)}…` : step.text));
      picture.append(drawn("rect", { x: a, y: y + 4, width: Math.max(1, b - a), height: line - 8, fill }));
      picture.append(drawn("text", { x: b + 5, y: y + 15, class: "soft" }, `${step.value < 0 ? "" : "+"}${number(step.value)}`));
    });
    find("features").querySelector("div").replaceChildren(picture);
    find("features").querySelector(".key").textContent =
      `${lost || !Number.isFinite(run.output[i]) ? "Some numbers of this event are not finite; they count as 0 here. " : ""}${meaning(run)}`;
  }
  function drawList(i) {
    const list = run.list;
    find("list").hidden = !list;
    if (!list) return;
    const [, length, width] = list.shape;
    const head = element("tr", {}, element("th", { scope: "col" }, "particle"), element("th", { scope: "col" }, "relevance"));
    for (const column of list.columns) head.append(element("th", { scope: "col" }, label(column), column.unit ? ` [${column.unit}]` : ""));
    const body = element("tbody");
    let real = 0;
    for (let p = 0; p < length; p++) {
      const place = i * length + p;
      if (!list.mask[place]) continue;
      real++;
      const share = (k) => list.entries[place * width + k] / 32767;
      const row = element("tr", {}, element("th", { scope: "row" }, String(p + 1)), element("td", { class: "n" }, number(list.sums[place])));
      list.columns.forEach((_, k) => {
        const code = list.codes[place * width + k];
        const value = code === 65535 ? NaN : list.low[k] + (code / 65534) * (list.high[k] - list.low[k]);
        const cell = element("td", { class: "n", title: `relevance ${number(share(k) * list.scale[i])}` }, number(value));
        cell.style.boxShadow = `inset 0 -4px ${signed(share(k))}`;
        row.append(cell);
      });
      body.append(row);
    }
    find("list").querySelector(".wide").replaceChildren(element("table", {}, element("thead", {}, head), body));
    find("list").querySelector(".key").textContent =
      `${real} of at most ${length} particles. The line below a value has the colour of its relevance; strongest ±${number(list.scale[i])}. ${meaning(run)}`;
  }
  options(find("run"), runs.map((one) => one.name));
  find("run").closest("label").hidden = runs.length < 2;
  find("run").addEventListener("change", chooseRun);
  for (const name of ["class", "decision", "score", "order"]) find(name).addEventListener("change", filter);
  find("previous").addEventListener("click", () => go(at - 1));
  find("next").addEventListener("click", () => go(at + 1));
  panel.addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined || (event.target.classList.contains("wide") && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    go(to);
  });
  watch(panel, () => go(at));
  panel.hidden = false;
  chooseRun();
})();
