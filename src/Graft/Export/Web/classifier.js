// The exported model in a browser. In a page of your own:
//   const classifier = await Classifier.open();
//   const answer = await classifier.predict(file);        // { class, probability, probabilities }
// It works in pages and in workers; a prediction keeps its thread busy.
import * as ort from "./onnxruntime/ort.wasm.min.js";

const here = new URL(".", import.meta.url);
ort.env.wasm.wasmPaths = { mjs: new URL("onnxruntime/ort-wasm-simd-threaded.js", here).href };
// More threads need a page that is isolated from other origins (headers COOP and COEP).
if (!self.crossOriginIsolated) ort.env.wasm.numThreads = 1;

export class Classifier {
  #session;

  // parity.json holds the classes, and photos with the probabilities that the trained model gives for them.
  static async open() {
    const about = await (await get("parity.json")).json();
    const model = new Uint8Array(await (await get("model.onnx")).arrayBuffer());
    // Read here, so that it need not be served as application/wasm.
    ort.env.wasm.wasmBinary ??= await (await get("onnxruntime/ort-wasm-simd-threaded.wasm")).arrayBuffer();
    const classifier = new Classifier();
    classifier.#session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
    classifier.classes = about.classes;
    classifier.about = about;
    return classifier;
  }

  // A photo: a Blob or File, an ImageBitmap, or an ImageData.
  async predict(photo) {
    const { data, width, height } = photo instanceof ImageData ? photo : await pixelsOf(photo);
    const rgb = new Uint8Array(3 * width * height);
    for (let from = 0, to = 0; to < rgb.length; from += 4) {
      rgb[to++] = data[from];
      rgb[to++] = data[from + 1];
      rgb[to++] = data[from + 2];
    }
    const image = new ort.Tensor("uint8", rgb, [1, height, width, 3]);
    const outputs = await this.#session.run({ image }, ["probabilities"]);
    const probabilities = Array.from(outputs.probabilities.data);
    const best = probabilities.indexOf(Math.max(...probabilities));
    return { class: this.classes[best], probability: probabilities[best], probabilities };
  }

  // Predicts the photos that lie beside the model, and compares with the trained model.
  async verify() {
    let largest = 0;
    for (const example of this.about.examples) {
      const { probabilities } = await this.predict(await (await get(example.photo)).blob());
      probabilities.forEach((found, index) => largest = Math.max(largest, Math.abs(found - example.probabilities[index])));
    }
    return { photos: this.about.examples.length, largestDifference: largest, isPassed: largest <= this.about.bound_of_examples };
  }
}

// Upright, and without conversion of colors: as in training. The browser decodes, so JPEG pixels can differ by 1 of 255.
export async function pixelsOf(photo) {
  const bitmap = photo instanceof ImageBitmap ? photo : await decode(photo);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  if (bitmap !== photo) bitmap.close();
  return context.getImageData(0, 0, context.canvas.width, context.canvas.height);
}

async function decode(blob) {
  try {
    return await createImageBitmap(blob, { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("This browser cannot decode the file: it is not a picture, a damaged one, or of a format that the browser does not know.");
  }
}

async function get(name) {
  const response = await fetch(new URL(name, here));
  if (!response.ok) throw new Error(`${name} is not there (${response.status}). Copy the whole folder that was exported to the web server.`);
  return response;
}
