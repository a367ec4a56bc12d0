// A program of a Job: it ends by itself, as its first argument says.
console.log('task runs');
process.exitCode = Number(process.argv[2] ?? 0);
