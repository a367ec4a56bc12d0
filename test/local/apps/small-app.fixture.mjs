import { createServer } from 'node:http';

const server = createServer((request, response) => {
  if (request.url === '/die') process.exit(1);
  response.end(JSON.stringify({ pid: process.pid, env: process.env }));
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send({ port: server.address().port }));
console.log('small app starts');
if (process.env.STUBBORN === '1') process.on('SIGTERM', () => console.log('no'));
