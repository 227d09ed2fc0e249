import { createServer } from 'node:net';

export const NODES = [0, 1, 2];
/** One for each management server. */
export const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];

/** A node's ports: SQL, group communication, incremental and full state transfer. All are on 127.0.0.1. */
export function nodePorts(firstPort, node) {
  return {
    sql: firstPort + node,
    group: firstPort + 1_000 + node,
    increment: firstPort + 1_100 + node,
    full: firstPort + 1_300 + node,
  };
}

/** The same for all management servers: each has an address of its own. */
export function serverPorts(firstPort) {
  return { agents: firstPort + 1_400, api: firstPort + 1_401 };
}

/** @throws Error that says which one is not */
export async function requireFreePorts(firstPort, isCheck) {
  for (const node of NODES) {
    for (const port of Object.values(nodePorts(firstPort, node))) await requireFree('127.0.0.1', port);
  }
  if (!isCheck) return;
  for (const address of ADDRESSES) {
    for (const port of Object.values(serverPorts(firstPort))) await requireFree(address, port);
  }
}

async function requireFree(address, port) {
  const error = await new Promise(resolve => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(port, address, () => server.close(() => resolve(undefined)));
  });
  if (error === undefined) return;
  if (error.code === 'EADDRINUSE') throw new Error(`port ${port} on ${address} is in use; choose others with --port`);
  if (error.code === 'EADDRNOTAVAIL') throw new Error(`this machine has no address ${address}, which the check needs`);
  throw new Error(`port ${port} on ${address} cannot be used: ${error.message}`);
}
