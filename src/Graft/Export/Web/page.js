const byId = id => document.getElementById(id);
const [state, target, answers, camera, live, video, check, checked] =
  ["state", "target", "answers", "camera", "live", "video", "check", "checked"].map(byId);

const worker = new Worker("worker.js", { type: "module" });
const waiting = new Map();
let last = 0;

const answer = id => new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
worker.onmessage = ({ data: { id, answer, problem } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (problem === undefined) resolve(answer); else reject(new Error(problem));
};
worker.onerror = event => { state.textContent = `The model cannot be loaded: ${event.message ?? "the worker does not start"}. Open this page from a web server, not as a file.`; };

// A photo's probabilities; without a photo, how this browser compares with the trained model.
function ask(photo, transfer = []) {
  const id = ++last;
  worker.postMessage({ id, photo }, transfer);
  return answer(id);
}

function table({ classes, probabilities }) {
  const ranking = probabilities.map((probability, index) => ({ probability, name: classes[index] })).sort((a, b) => b.probability - a.probability);
  const table = document.createElement("table");
  for (const { name, probability } of ranking.slice(0, 5)) {
    const row = table.insertRow(), meter = document.createElement("meter");
    meter.value = probability;
    for (const content of [name, meter, `${(100 * probability).toFixed(1)} %`]) row.insertCell().append(content);
  }
  return table;
}

async function show(file) {
  const figure = document.createElement("figure"), image = new Image(), caption = document.createElement("figcaption");
  image.src = URL.createObjectURL(file);
  image.alt = file.name;
  image.onload = image.onerror = () => URL.revokeObjectURL(image.src);
  caption.textContent = "…";
  figure.append(image, caption);
  answers.prepend(figure);
  try {
    caption.replaceChildren(table(await ask(file)));
  } catch (problem) {
    caption.textContent = problem.message;
  }
}

async function watch() {
  if (video.srcObject) {
    for (const track of video.srcObject.getTracks()) track.stop();
    video.srcObject = null;
    live.hidden = true;
    camera.textContent = "Use the camera";
    return;
  }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (problem) {
    const reason = navigator.mediaDevices ? problem.message : "browsers give it to pages of https and of localhost only";
    state.textContent = `There is no camera: ${reason}.`;
    return;
  }
  live.hidden = false;
  camera.textContent = "Stop the camera";
  await video.play();
  while (video.srcObject) {
    try {
      const frame = await createImageBitmap(video);
      live.querySelector("figcaption").replaceChildren(table(await ask(frame, [frame])));
    } catch (problem) {
      live.querySelector("figcaption").textContent = problem.message;
    }
    await new Promise(requestAnimationFrame);
  }
}

answer(0).then(classes => { state.textContent = `It can be one of ${classes.length} classes.`; }, problem => { state.textContent = `The model cannot be loaded: ${problem.message}`; });
byId("choose").onchange = event => { for (const file of event.target.files) show(file); event.target.value = ""; };
target.ondragover = event => { event.preventDefault(); target.classList.add("over"); };
target.ondragleave = () => target.classList.remove("over");
target.ondrop = event => { event.preventDefault(); target.classList.remove("over"); for (const file of event.dataTransfer.files) show(file); };
document.onpaste = event => { for (const file of event.clipboardData.files) show(file); };
camera.onclick = watch;
check.onclick = async () => {
  check.disabled = true;
  checked.textContent = "…";
  try {
    const { photos, largestDifference, isPassed } = await ask(null);
    checked.textContent = `On ${photos} photos, probabilities differ from the trained model's by up to ${largestDifference.toFixed(5)}${isPassed ? "." : ": too much. This browser decodes photos in another way."}`;
  } catch (problem) {
    checked.textContent = problem.message;
  }
  check.disabled = false;
};
