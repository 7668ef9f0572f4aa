// Server-sent events. `serve HOW`: prints its port, then what it sees; each event waits for a request
// that confirms the one before, and after every third the stream is broken off: HOW is end or destroy.
// `connect URL COUNT`: confirms each event, leaves after COUNT; prints what it sees.
'use strict';

const http = require('http');

function serve(how) {
  let stream = null;
  const send = (id) => stream.write(`id: ${id}\ndata: event ${id}\n\n`);
  const server = http.createServer((request, response) => {
    const confirmed = new URL(request.url, 'http://any').searchParams.get('confirm');
    if (confirmed !== null) {
      response.end();
      if (Number(confirmed) % 3 === 0) stream[how]();
      else send(Number(confirmed) + 1);
      return;
    }
    const last = request.headers['last-event-id'];
    console.log(`open ${last}`);
    request.on('close', () => console.log('closed'));
    stream = response;
    stream.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    stream.write('retry: 1\n\n');
    send(Number(last || 0) + 1);
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

function connect(url, count) {
  const { EventSource } = require('eventsource');
  const source = new EventSource(url);
  source.onopen = () => console.log('open');
  source.onerror = () => console.log(source.readyState === EventSource.CONNECTING ? 'lost' : 'failed');
  source.onmessage = (event) => {
    console.log(`${event.lastEventId} ${event.data}`);
    if (event.lastEventId === count) source.close();
    else fetch(`${url}?confirm=${event.lastEventId}`, { method: 'POST' });
  };
}

const [what, ...rest] = process.argv.slice(2);
if (what === 'serve') serve(...rest);
else connect(...rest);
