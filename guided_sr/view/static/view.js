"use strict";

// One NiiVue canvas an image; whichever has the focus moves the crosshair of all.
const message = document.getElementById("message");

async function addPanel(about) {
  const section = document.getElementById("panel").content.cloneNode(true).firstElementChild;
  section.id = about.key;
  section.querySelector("h2").textContent = about.title;
  section.querySelector(".grid").textContent = about.grid;
  const canvas = section.querySelector("canvas");
  const where = section.querySelector("output");
  canvas.id = `canvas-${about.key}`;
  canvas.setAttribute("aria-label", `${about.title}, three planes`);
  canvas.addEventListener("pointerdown", () => canvas.focus());
  document.getElementById("panels").append(section);
  const viewer = new niivue.Niivue({
    backColor: [0, 0, 0, 1],
    crosshairWidth: 0.3,
    dragAndDropEnabled: false,
    isNearestInterpolation: true,
    multiplanarLayout: niivue.MULTIPLANAR_TYPE.COLUMN,
    multiplanarShowRender: niivue.SHOW_RENDER.NEVER,
    logLevel: "error",
    onLocationChange: (place) => {
      const mm = Array.from(place.mm).slice(0, 3).map((x) => x.toFixed(1));
      const value = place.values.length ? place.values[0].value : NaN;
      where.textContent = `${mm.join(", ")} mm: ${Number(value).toPrecision(4)}`;
    },
  });
  await viewer.attachToCanvas(canvas);
  viewer.setSliceType(viewer.sliceTypeMultiplanar);
  await viewer.loadVolumes([
    { url: `${about.key}.nii`, cal_min: about.black, cal_max: about.white },
  ]);
  return viewer;
}

async function show() {
  const scene = await (await fetch("scene.json")).json();
  document.title = `${scene.name} - guided-sr`;
  document.getElementById("name").textContent = scene.name;
  const viewers = [];
  for (const about of scene.panels) {
    viewers.push(await addPanel(about));
  }
  for (const viewer of viewers) {
    viewer.broadcastTo(viewers.filter((other) => other !== viewer), { "2d": true, "3d": true });
    viewer.createOnLocationChange();
  }
  document.getElementById("smooth").addEventListener("change", (event) => {
    viewers.forEach((viewer) => viewer.setInterpolation(!event.target.checked));
  });
  message.textContent = "";
  document.body.dataset.ready = "yes";
}

show().catch((error) => {
  message.textContent = `the images cannot be shown (${error}): a browser with WebGL 2 is needed`;
  document.body.dataset.ready = "failed";
});
