// Socket.IO. `serve`: prints its port, then what it sees. `connect URL TRANSPORT...`: prints what it
// sees. Each line begins with the transport of that moment; not the first answer's, which may come
// behind an upgrade that the server has let through by then.
'use strict';

const crypto = require('crypto');
const http = require('http');

function describe(data) {
  const hash = crypto.createHash('sha256').update(data).digest('hex');
  return `${typeof data === 'string' ? 'text' : 'binary'} ${Buffer.byteLength(data)} ${hash}`;
}

function serve() {
  const { Server } = require('socket.io');
  const server = http.createServer();
  const io = new Server(server, { maxHttpBufferSize: 4 << 20 });
  let answered;
  const firstAnswer = new Promise((resolve) => (answered = resolve));
  // An upgrade waits until long polling has had its turn.
  io.engine.use((request, response, next) => {
    const upgrades = request.headers.upgrade && request.url.includes('sid=');
    Promise.resolve(upgrades && firstAnswer).then(() => next());
  });
  io.on('connection', (socket) => {
    const tell = (what) => console.log(`${socket.conn.transport.name} ${what}`);
    tell('connection');
    socket.conn.on('upgrade', () => tell('upgrade'));
    socket.on('echo', (data, answer) => {
      tell(describe(data));
      answer(data);
      answered();
    });
    socket.on('ask me', (data) => socket.emit('question', data, (answer) => tell(`answer ${describe(answer)}`)));
    socket.on('disconnect', (reason) => tell(`disconnect ${reason}`));
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

async function connect(url, ...transports) {
  const { io } = require('socket.io-client');
  // With credentials it keeps cookies, as a browser does.
  const socket = io(url, { transports, reconnection: false, withCredentials: true });
  const once = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));
  const tell = (what) => console.log(`${socket.io.engine.transport.name} ${what}`);
  socket.on('connect_error', (error) => {
    console.error(error);
    process.exit(1);
  });
  const question = new Promise((resolve) =>
    socket.on('question', (data, answer) => {
      tell(`question ${describe(data)}`);
      answer(data);
      resolve();
    }),
  );
  const upgraded = once(socket.io.engine, 'upgrade');
  const first = socket.emitWithAck('echo', 'first');
  await once(socket, 'connect');
  tell('connected');
  console.log(describe(await first));
  if (transports.length > 1) await upgraded;
  tell(describe(await socket.emitWithAck('echo', 'ü'.repeat(50000))));
  tell(describe(await socket.emitWithAck('echo', Buffer.alloc(1 << 20, 'holdfast'))));
  socket.emit('ask me', Buffer.from([0, 1, 255]));
  await question;
  socket.disconnect();
}

const [what, ...rest] = process.argv.slice(2);
if (what === 'serve') serve();
else connect(...rest);
