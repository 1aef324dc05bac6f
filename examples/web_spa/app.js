"use strict";

const at = (id) => document.getElementById(id);
let session;

/** Who is signed in: asked at the start, after calls, and when somebody comes back to this tab. */
async function look() {
  let answer;
  try {
    answer = await fetch("/user", { cache: "no-store" });
  } catch {
    return say("The server of this page does not answer.");
  }
  if (answer.status === 401) return signedOut(await answer.json());
  if (!answer.ok) return say(`Who is signed in cannot be found out now (${answer.status}).`);
  signedIn(await answer.json());
}

function signedIn(user) {
  if (session !== user.session) forget();
  session = user.session;
  at("title").textContent = `Hello, ${user.name}`;
  at("who").textContent = user.name;
  at("subject").textContent = user.subject;
  at("email").textContent = user.email ?? "not known";
  at("token").textContent = user.token.state;
  at("generation").textContent = user.token.generation ?? "";
  show(true);
}

/** A 401 of this server says where to sign in; from there the person comes back to this page. */
function signedOut(body) {
  forget();
  session = undefined;
  const there = new URL(body.sign_in ?? "/login", location);
  there.searchParams.set("return_to", location.pathname);
  at("sign-in").href = there.pathname + there.search;
  at("title").textContent = "Nobody is signed in";
  show(false);
}

/** What was on the page for somebody else, or for nobody, goes. */
function forget() {
  for (const id of ["who", "subject", "email", "token", "generation", "answer", "outcome"]) at(id).textContent = "";
  at("answer").hidden = true;
}

function show(isSignedIn) {
  at("sign-in").hidden = at("signed-out").hidden = isSignedIn;
  at("sign-out").hidden = at("signed-in").hidden = !isSignedIn;
}

const say = (text) => { at("outcome").textContent = text; };

/** The header is what a page of another site could not send. */
const call = (path) => fetch(`/api${path}`, { headers: { "x-csrf": "1" }, cache: "no-store" });

function path() {
  const text = at("path").value.trim();
  return text === "" || /^[/?]/.test(text) ? text : `/${text}`;
}

/** Whether the answer is this server's own word that somebody has to sign in, and not the API's. */
async function isSignedOut(answer) {
  if (answer.status !== 401) return false;
  const body = await answer.clone().json().catch(() => ({}));
  if (body.error === "sign_in_required") signedOut(body);
  return body.error === "sign_in_required";
}

async function once() {
  const answer = await call(path());
  if (await isSignedOut(answer)) return;
  const text = await answer.text();
  at("answer").textContent = indented(text).slice(0, 65536);
  at("answer").hidden = false;
  await look();
  say(`${answer.status} ${answer.statusText}`);
}

async function many() {
  const answers = await Promise.allSettled(Array.from({ length: 20 }, () => call(path())));
  for (const { value } of answers) if (value && (await isSignedOut(value))) return;
  const good = answers.filter(({ value }) => value?.ok).length;
  await look();
  say(`${good} of ${answers.length} succeeded; the token's generation is ${at("generation").textContent}.`);
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function busy(work) {
  const buttons = [at("once"), at("many")];
  for (const button of buttons) button.disabled = true;
  say("…");
  try {
    await work();
  } catch (error) {
    say(`That did not work: ${error.message}`);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

at("call").addEventListener("submit", (event) => {
  event.preventDefault();
  busy(once);
});
at("many").addEventListener("click", () => busy(many));
addEventListener("focus", look);
addEventListener("pageshow", (event) => event.persisted && look());
document.addEventListener("visibilitychange", () => document.hidden || look());
look();
