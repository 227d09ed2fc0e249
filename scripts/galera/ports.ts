import { createServer } from 'node:net';

export const DEFAULT_FIRST_PORT = 13_306;
export const NODE_COUNT = 3;
export const NODE_ADDRESS = '127.0.0.1';

/** All on `NODE_ADDRESS`. */
export interface NodePorts {
  readonly sql: number;
  /** Group communication. */
  readonly group: number;
  /** Incremental state transfer (IST). */
  readonly increment: number;
  /** State snapshot transfer (SST). */
  readonly full: number;
}

/** @param index of the node, from 0 */
export function nodePorts(firstPort: number, index: number): NodePorts {
  return {
    sql: firstPort + index,
    group: firstPort + 1_000 + index,
    increment: firstPort + 1_100 + index,
    full: firstPort + 1_300 + index,
  };
}

/** @throws Error with the first port of the cluster that cannot be used, and why */
export async function requireFreePorts(firstPort: number): Promise<void> {
  for (let index = 0; index < NODE_COUNT; index++) {
    for (const port of Object.values(nodePorts(firstPort, index))) await requireFreePort(NODE_ADDRESS, port);
  }
}

/** @throws Error with why the port cannot be used */
export async function requireFreePort(address: string, port: number): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | undefined>(resolve => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(port, address, () => server.close(() => resolve(undefined)));
  });
  if (error === undefined) return;
  if (error.code === 'EADDRINUSE') throw new Error(`port ${port} on ${address} is in use; choose others with --port`);
  if (error.code === 'EADDRNOTAVAIL') throw new Error(`this machine has no address ${address}`);
  throw new Error(`port ${port} on ${address} cannot be used: ${error.message}`);
}
