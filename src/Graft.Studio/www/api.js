let hide;

/** Says what went wrong, until the next time or for a while. */
export function explain(problem) {
  const place = document.getElementById('problem');
  place.textContent = problem;
  place.hidden = false;
  clearTimeout(hide);
  hide = setTimeout(() => place.hidden = true, 12000);
}

async function answerOf(request) {
  let response;
  try {
    response = await request;
  } catch {
    throw new Error('The studio does not answer. Start it again in the terminal; all labels are saved.');
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The studio answered with status ${response.status}.`);
  return answer;
}

export const get = path => answerOf(fetch(path));

export const post = (path, body = {}) => answerOf(fetch(path, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }));

export const send = (path, photo) => answerOf(fetch(path, { method: 'POST', body: photo, headers: { 'Content-Type': 'application/octet-stream' } }));

/** Carries something out and says what went wrong. */
export async function attempt(work) {
  try {
    return await work();
  } catch (problem) {
    explain(problem.message);
    return undefined;
  }
}
