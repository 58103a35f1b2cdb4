// Loaded into the process of the audit api (--import): counts what is posted to it, whoever posts, and answers who asks. An
// event that is posted twice leaves one record, so nothing else shows it.
import { subscribe } from 'node:diagnostics_channel';
import { isMainThread } from 'node:worker_threads';

const PATH = '/integration/v1/audit/logs'; // AUDIT_LOGS_PATH; nothing of the product is loaded before its own start

let posts = 0;

if (isMainThread && process.send !== undefined) {
  subscribe('http.server.request.start', ({ request: { method, url } }) => {
    if (method === 'POST' && url.split('?')[0] === PATH) posts += 1;
  });
  process.on('message', (message) => {
    if (message?.ask === 'posts') process.send({ posts });
  });
  process.channel.unref(); // the api ends when it has nothing more to do
}
