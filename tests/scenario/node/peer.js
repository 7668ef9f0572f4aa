// Node's `ws` as client or backend. `serve ADDRESS`: echoes, prints its port. `connect URL HOST`: exchanges
// messages of several kinds, prints what it saw as JSON. HOST is what it calls the server.
'use strict';

const crypto = require('crypto');
const { WebSocket, WebSocketServer } = require('ws');

const PROTOCOL = 'chat.v2';
const LIMIT = 64 * 1024 * 1024;

function serve(address) {
  const server = new WebSocketServer({
    host: address,
    port: 0,
    maxPayload: LIMIT,
    perMessageDeflate: true,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => {
      if (data.toString() === 'close please') socket.close(4002, 'as you wish');
      else socket.send(data, { binary: isBinary });
    });
  });
  server.on('listening', () => console.log(server.address().port));
}

function connect(url, host) {
  const messages = ['hello', '', 'ü€🙂'.repeat(1000), crypto.randomBytes(1 << 20)];
  const socket = new WebSocket(url, [PROTOCOL], {
    headers: { Host: host },
    perMessageDeflate: true,
    maxPayload: LIMIT,
  });
  const seen = { echoed: 0 };
  let turn = 0;
  const next = () => {
    if (turn < messages.length) socket.send(messages[turn]);
    else if (turn === messages.length) {
      socket.send('in ', { fin: false });
      socket.send('fragments', { fin: true });
    } else if (turn === messages.length + 1) socket.ping('are you there');
    else socket.send('close please');
  };
  socket.on('open', () => {
    seen.protocol = socket.protocol;
    seen.extensions = socket.extensions;
    next();
  });
  socket.on('message', (data) => {
    const expected = turn < messages.length ? Buffer.from(messages[turn]) : Buffer.from('in fragments');
    if (expected.equals(data)) seen.echoed += 1;
    turn += 1;
    next();
  });
  socket.on('pong', (data) => {
    seen.pong = data.toString();
    turn += 1;
    next();
  });
  socket.on('close', (code, reason) => {
    console.log(JSON.stringify({ ...seen, code, reason: reason.toString() }));
  });
  socket.on('error', (error) => console.error(error));
}

const [what, where, host] = process.argv.slice(2);
if (what === 'serve') serve(where);
else connect(where, host);
