// The runner against a server that goes away: what it has to be told is told later.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { Runner } from "../../../gateway_service/web/server/runner.js";
import { initialState } from "../../../gateway_service/web/state/actions.js";
import * as facts from "../../../gateway_service/web/state/photo.js";
import { Store } from "../../../gateway_service/web/state/store.js";

const TASK = "6b0e0bf8-b32b-852d-9aec-5a417a4a4da8";

const plainFetch = globalThis.fetch;

/** Start a server that answers every DELETE with `status` and notes its path; while it `isAway` it answers nothing.
 * Give node what a browser has there: paths relative to the page, a session, and events of the window. */
async function visit(status = 204) {
  const here = { erased: [], isAway: false, close: null };
  const server = createServer((request, response) => {
    if (here.isAway) return request.socket.destroy();
    if (request.method === "DELETE") here.erased.push(request.url);
    response.writeHead(request.method === "DELETE" ? status : 200).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  globalThis.fetch = (path, init) => plainFetch(new URL(path, `http://127.0.0.1:${port}/`), init);
  globalThis.sessionStorage = { getItem: () => null };
  globalThis.addEventListener = () => {};
  here.close = () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
  return here;
}

/** Return a store with one finished photo whose task the server still has, and its runner. */
function withTask() {
  const store = new Store(initialState(), (tell) => queueMicrotask(tell));
  const kept = facts.newPhoto({ name: "a.jpg", bytes: 1, kind: "photo", added: 1, options: {}, style: {}, areas: [] });
  const photo = { ...kept, job: { kind: "blur", revision: 0, wish: "", taskId: TASK, phase: "queued", share: 0 } };
  return { store, photo, runner: new Runner(store, {}) };
}

const until = (store, condition) => new Promise((resolve) => {
  const look = () => { if (condition(store.state)) resolve(); };
  store.subscribe(look);
  look();
});

test("a task is erased at once, and no longer remembered", async () => {
  const server = await visit();
  const { store, photo, runner } = withTask();
  runner.drop(photo);
  assert.deepEqual(store.state.unerased, [TASK]);
  await until(store, (state) => state.unerased.length === 0);
  assert.deepEqual(server.erased, [`/task_result/${TASK}`]);
  await server.close();
});

test("a task that the server could not be told to erase is erased when it is back", async () => {
  const server = await visit();
  server.isAway = true;
  const { store, photo, runner } = withTask();
  runner.drop(photo);
  await until(store, (state) => state.server === "away");
  assert.deepEqual(store.state.unerased, [TASK]);
  server.isAway = false;
  await until(store, (state) => state.unerased.length === 0);
  assert.equal(store.state.server, "ok");
  assert.deepEqual(server.erased, [`/task_result/${TASK}`]);
  await server.close();
});

test("a task that the server does not know any more is not asked for again", async () => {
  const server = await visit(404);
  const { store, photo, runner } = withTask();
  runner.drop(photo);
  await until(store, (state) => state.unerased.length === 0);
  assert.equal(server.erased.length, 1);
  await server.close();
});

test("a task that an earlier visit left is erased by the next one", async () => {
  const server = await visit();
  const { store } = withTask();
  store.set({ unerased: [TASK] });
  await until(store, (state) => state.unerased.length === 0);
  assert.deepEqual(server.erased, [`/task_result/${TASK}`]);
  await server.close();
});
