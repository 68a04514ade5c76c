// Loaded into a coordinator before anything else (`node --import`): answers `/ready-made?bytes=N` with N bytes that are
// ready, below Larder and its framework. So a bench compares an answer with what the process can send at most.
import http from 'node:http';

const emit = http.Server.prototype.emit;
const answers = new Map();

http.Server.prototype.emit = function (event, request, response) {
  if (event !== 'request' || !request.url.startsWith('/ready-made?')) return emit.apply(this, arguments);
  const bytes = Number(new URLSearchParams(request.url.slice(request.url.indexOf('?'))).get('bytes'));
  if (!answers.has(bytes)) answers.set(bytes, JSON.stringify('x'.repeat(bytes - 2)));
  const body = answers.get(bytes);
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.setHeader('content-length', Buffer.byteLength(body));
  response.end(body);
  return true;
};
