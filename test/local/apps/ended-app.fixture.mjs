console.error('REGISTRY_HOST is missing');
process.exit(3);
