// The lineage graph. Places come from the server; this paints, pans, opens runs, and asks for more when it is wanted.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const frame = document.getElementById("graph");
  if (!frame) return;
  const said = document.getElementById("graph-said");
  const wanted = { also: new Set(), opened: new Set(), fold: true };
  let cy = null;
  let chosen = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function style(large) {
    const kinds = ["plaintext", "activation", "parameter"];
    return [
      { selector: "node", style: {
        "background-color": colour("--ink-3"), width: 16, height: 16, label: "data(label)", color: colour("--ink-2"),
        "font-size": 11, "font-family": "system-ui, sans-serif", "text-valign": "bottom", "text-margin-y": 4,
        "min-zoomed-font-size": 7, "border-width": 0,
      } },
      { selector: "node[run > 1]", style: { shape: "round-rectangle", width: 44, height: 14 } },
      ...kinds.map((kind) => ({ selector: `node[kind = "${kind}"]`, style: { "background-color": colour("--k-" + kind) } })),
      { selector: ".home", style: { "border-width": 2, "border-color": colour("--ink") } },
      { selector: "edge", style: {
        width: 1.2, "line-color": colour("--line-2"), "curve-style": large ? "haystack" : "bezier",
        "target-arrow-shape": large ? "none" : "triangle", "target-arrow-color": colour("--line-2"), "arrow-scale": 0.7,
      } },
      { selector: 'edge[relation = "revises"], edge[relation = "advances"]', style: { "line-style": "solid" } },
      { selector: 'edge[relation != "revises"][relation != "advances"]', style: {
        "line-color": colour("--accent"), "target-arrow-color": colour("--accent"), width: 1.6,
      } },
      { selector: "node:selected", style: { "overlay-color": colour("--accent"), "overlay-opacity": 0.3, "overlay-padding": 7 } },
    ];
  }

  function address() {
    const url = new URL(frame.dataset.source, location.origin);
    url.searchParams.set("fold", wanted.fold ? "true" : "false");
    for (const cube of wanted.also) url.searchParams.append("also", cube);
    for (const run of wanted.opened) url.searchParams.append("opened", run);
    return url;
  }

  async function load(keep) {
    said.textContent = "loading…";
    const answer = await fetch(address(), { headers: { Accept: "application/json", "HX-Request": "true" } });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) { said.textContent = "This graph cannot be shown."; return; }
    const found = await answer.json();
    const large = found.nodes.length > 400;
    const before = keep && cy ? { zoom: cy.zoom(), pan: cy.pan() } : null;
    if (cy) cy.destroy();
    cy = cytoscape({
      container: frame, elements: { nodes: found.nodes, edges: found.edges }, layout: { name: "preset" },
      style: style(large), minZoom: 0.02, maxZoom: 3, boxSelectionEnabled: false, selectionType: "single",
      textureOnViewport: large, hideEdgesOnViewport: large, hideLabelsOnViewport: large, pixelRatio: large ? 1 : "auto",
      autoungrabify: true,
    });
    cy.nodes(`[cube = "${frame.dataset.cube}"]`).addClass("home");
    cy.on("tap", "node", (event) => choose(event.target));
    if (before) cy.viewport(before);
    else home();
    const cubes = new Set(found.nodes.map((node) => node.data.cube));
    said.textContent = `${found.nodes.length} shown, ${cubes.size} cube${cubes.size === 1 ? "" : "s"}` +
      (found.truncated ? ", and it goes on" : "");
    frame.dataset.ready = String(found.nodes.length);
  }

  // The whole of a small graph; of a large one the newest versions of this cube, at a size one can read.
  function home() {
    cy.fit(undefined, 40);
    if (cy.zoom() > 1.4) { cy.zoom(1.4); cy.center(); }
    if (cy.zoom() >= 0.35) return;
    const own = cy.nodes(".home").sort((a, b) => b.data("number") - a.data("number"));
    cy.zoom(0.8);
    cy.center(own.length ? own[0] : undefined);
  }

  function choose(node) {
    chosen = node;
    cy.elements().unselect();
    node.select();
    const { cube, number, run, id, label } = node.data();
    if (run > 1) {
      said.textContent = `opening ${label}`;
      wanted.opened.add(id);
      load(true);
      return;
    }
    const detail = document.getElementById("graph-detail");
    htmx.ajax("GET", `/console/cubes/${cube}/versions/${number}`, { target: detail, swap: "innerHTML" }).then(() => {
      if (cube === frame.dataset.cube || wanted.also.has(cube)) return;
      const more = document.createElement("button");
      more.type = "button";
      more.textContent = "Load the lineage of this cube as well";
      more.addEventListener("click", () => { wanted.also.add(cube); load(true); });
      detail.append(more);
    });
  }

  const deeds = {
    fit: () => cy.fit(undefined, 40),
    in: () => cy.zoom({ level: cy.zoom() * 1.3, renderedPosition: { x: frame.clientWidth / 2, y: frame.clientHeight / 2 } }),
    out: () => cy.zoom({ level: cy.zoom() / 1.3, renderedPosition: { x: frame.clientWidth / 2, y: frame.clientHeight / 2 } }),
    home,
    fold: (button) => {
      wanted.fold = !wanted.fold;
      wanted.opened.clear();
      button.setAttribute("aria-pressed", String(wanted.fold));
      load(false);
    },
  };
  for (const button of document.querySelectorAll("[data-graph]")) {
    button.addEventListener("click", () => { if (cy) deeds[button.dataset.graph](button); });
  }

  // Along the edges with the arrows: right to what came of it, left to what it came from, up and down to its neighbours.
  frame.addEventListener("keydown", (event) => {
    if (!cy) return;
    if (event.key === "+" || event.key === "=") { deeds.in(); return; }
    if (event.key === "-") { deeds.out(); return; }
    if (event.key === "Enter" && chosen) { choose(chosen); return; }
    const arrows = { ArrowRight: "outgoers", ArrowLeft: "incomers" };
    let next = null;
    if (!chosen || !chosen.inside()) {
      if (event.key.startsWith("Arrow")) next = cy.nodes(".home").first();
    } else if (arrows[event.key]) {
      next = chosen[arrows[event.key]]("node").first();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const down = event.key === "ArrowDown";
      const at = chosen.position("y");
      const beyond = cy.nodes().filter((node) => (down ? node.position("y") > at : node.position("y") < at));
      next = beyond.sort((a, b) => Math.hypot(a.position("x") - chosen.position("x"), a.position("y") - at) -
        Math.hypot(b.position("x") - chosen.position("x"), b.position("y") - at)).first();
    }
    if (next && next.length) {
      event.preventDefault();
      chosen = next;
      cy.elements().unselect();
      next.select();
      cy.animate({ center: { eles: next }, duration: 120 });
      said.textContent = `${next.data("label")} of ${next.data("kind")} ${next.data("cube").slice(-8)}, ${next.data("operation")}`;
    }
  });
  document.addEventListener("memos:theme", () => { if (cy) cy.style(style(cy.nodes().length > 400)); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (cy) cy.style(style(cy.nodes().length > 400));
  });
  load(false);
});
