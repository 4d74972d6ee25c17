import BeeQueue from 'bee-queue'
import type { Order } from './order.ts'

/** A queue with nothing switched on that a benchmark does not use. */
export function beeQueueAt(url: string, prefix: string, isWorker: boolean): BeeQueue<Order> {
  const { hostname, port } = new URL(url)
  return new BeeQueue('order', {
    prefix,
    redis: { host: hostname, port: Number(port) },
    isWorker,
    getEvents: false,
    sendEvents: false,
    storeJobs: false,
    activateDelayedJobs: false,
    removeOnSuccess: true,
  })
}
