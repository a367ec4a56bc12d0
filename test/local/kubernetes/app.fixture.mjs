import { createServer } from 'node:http';

const { BEHAVIOUR = '' } = process.env;
if (BEHAVIOUR === 'dies') process.exit(3);

let healthy = BEHAVIOUR !== 'sick';
const server = createServer((request, response) => {
  if (request.url === '/die') process.exit(3);
  if (request.url === '/sicken') healthy = false;
  if (request.url === '/heal') healthy = true;
  if (request.url === '/healthz') response.statusCode = healthy ? 200 : 500;
  response.end(JSON.stringify({ pid: process.pid, args: process.argv.slice(2), env: process.env }));
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('SIGTERM', () => {
  if (BEHAVIOUR === 'stubborn') return;
  server.close(() => process.exit(0));
});
