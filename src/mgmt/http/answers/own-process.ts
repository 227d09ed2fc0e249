import { availableParallelism, freemem, totalmem } from 'node:os';
import { dateText } from '../../../api/moment.js';
import { gibibytes } from './fields.js';

/** What this process can tell of itself and its machine. @param wallTime milliseconds since 1970 */
export function ownProcess(wallTime: number) {
  const { heapUsed, heapTotal } = process.memoryUsage();
  return {
    collectiontime: dateText(wallTime),
    availableprocessors: availableParallelism(),
    heapmemoryused: heapUsed,
    heapmemorytotal: heapTotal,
    systemmemorytotal: gibibytes(totalmem()),
    systemmemoryfree: gibibytes(freemem()),
  };
}
