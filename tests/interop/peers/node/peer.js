// Node's `ws` as client or backend; ../../README.md has the command line.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const { WebSocket, WebSocketServer } = require('ws');

const PROTOCOL = 'chat.v2';

function describe(data, isBinary) {
  const hash = crypto.createHash('sha256').update(data).digest('hex');
  return `${isBinary ? 'binary' : 'text'} ${data.length} ${hash}`;
}

function sendSplit(socket, data) {
  const third = Math.floor(data.length / 3);
  socket.send(data.subarray(0, third), { binary: false, fin: false });
  socket.send(data.subarray(third, 2 * third), { binary: false, fin: false });
  socket.send(data.subarray(2 * third), { binary: false, fin: true });
}

function sendClose(socket, words) {
  const [code, ...reason] = words.split(' ');
  socket.close(Number(code), reason.join(' '));
}

function answer(socket, data, isBinary) {
  const [, what, rest] = (isBinary ? '' : data.toString()).match(/^please (\w+) (.*)$/s) || [];
  if (what === 'split') sendSplit(socket, Buffer.from(rest));
  else if (what === 'ping') socket.ping(rest);
  else if (what === 'close') sendClose(socket, rest);
  else socket.send(data, { binary: isBinary });
}

function serve() {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: true,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  server.on('connection', (socket, request) => {
    const tell = (what) => console.log(`${request.url} ${what}`);
    socket.on('message', (data, isBinary) => {
      tell(describe(data, isBinary));
      answer(socket, data, isBinary);
    });
    socket.on('pong', (data) => {
      tell(`pong ${data}`);
      socket.send(data.toString());
    });
    socket.on('close', (code, reason) => tell(`close ${code} ${reason}`));
    socket.on('error', (error) => tell(`broken ${error.message}`));
  });
  server.on('listening', () => console.log(server.address().port));
}

function step(socket, words) {
  const what = words.slice(0, words.indexOf(':'));
  const detail = words.slice(words.indexOf(':') + 1);
  if (what === 'ping') socket.ping(detail);
  else if (what === 'close') sendClose(socket, detail);
  else if (what === 'split') sendSplit(socket, fs.readFileSync(detail));
  else socket.send(fs.readFileSync(detail), { binary: what === 'binary' });
}

function connect(url, mode, ...steps) {
  const socket = new WebSocket(url, ['chat.v1', PROTOCOL], { perMessageDeflate: mode === 'deflate' });
  const next = () => {
    if (steps.length > 0) step(socket, steps.shift());
  };
  socket.on('open', () => {
    console.log(`open ${socket.protocol} ${socket.extensions}`);
    next();
  });
  socket.on('message', (data, isBinary) => {
    console.log(describe(data, isBinary));
    next();
  });
  socket.on('pong', (data) => {
    console.log(`pong ${data}`);
    next();
  });
  socket.on('close', (code, reason) => console.log(`close ${code} ${reason}`));
}

const [what, ...rest] = process.argv.slice(2);
if (what === 'serve') serve();
else connect(...rest);
