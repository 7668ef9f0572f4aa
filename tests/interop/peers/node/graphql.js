// graphql-ws. `serve`: prints its port, then what it sees. `connect URL`: one query and two
// subscriptions on one connection, the second left early; prints what it sees.
'use strict';

const { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLNonNull } = require('graphql');
const { createClient } = require('graphql-ws');
const { useServer } = require('graphql-ws/lib/use/ws');
const { WebSocket, WebSocketServer } = require('ws');

const Int = { type: new GraphQLNonNull(GraphQLInt) };

async function* count(_, { to }) {
  let end = 'left';
  try {
    for (let i = 1; i <= to; i++) {
      yield { count: i };
      await new Promise(setImmediate); // So that messages are read between two steps.
    }
    end = 'counted';
  } finally {
    console.log(end);
  }
}

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { six: { ...Int, resolve: () => 6 } } }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: { count: { ...Int, args: { to: Int }, subscribe: count } },
  }),
});

function serve() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  useServer(
    {
      schema,
      onConnect: (context) => console.log(`connected ${context.extra.socket.protocol}`),
      onClose: (context, code, reason) => console.log(`close ${code} ${reason}`),
    },
    server,
  );
  server.on('listening', () => console.log(server.address().port));
}

async function connect(url) {
  const client = createClient({ url, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0 });
  for await (const result of client.iterate({ query: '{ six }' })) console.log(JSON.stringify(result));
  for await (const result of client.iterate({ query: 'subscription { count(to: 3) }' })) {
    console.log(JSON.stringify(result));
  }
  console.log('complete');
  for await (const result of client.iterate({ query: 'subscription { count(to: 1000000) }' })) {
    console.log(JSON.stringify(result));
    break;
  }
  // The backend takes messages in order: what was left is over when this is answered.
  for await (const result of client.iterate({ query: '{ six }' })) console.log(JSON.stringify(result));
  await client.dispose();
}

const [what, ...rest] = process.argv.slice(2);
if (what === 'serve') serve();
else connect(...rest);
