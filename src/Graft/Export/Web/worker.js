// Predicts outside of the page's thread, so that the page never stops.
import { Classifier } from "./classifier.js";

const opening = Classifier.open();
opening.then(classifier => postMessage({ id: 0, answer: classifier.classes }), problem => postMessage({ id: 0, problem: problem.message }));

onmessage = async ({ data: { id, photo } }) => {
  try {
    const classifier = await opening;
    postMessage({ id, answer: photo ? { ...await classifier.predict(photo), classes: classifier.classes } : await classifier.verify() });
  } catch (problem) {
    postMessage({ id, problem: problem.message });
  }
};
