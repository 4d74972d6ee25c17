import type { Link } from './link.ts'
import type { Received } from './received.ts'

export interface Acknowledgement {
  readonly received: Received
  readonly body: Uint8Array
}

/**
 * Sends acknowledgements and waits until the server has taken them. A consumer takes them in order, so its answer to the
 * last speaks for all; each partition has a consumer of its own.
 */
export async function acknowledge(link: Link, all: readonly Acknowledgement[]): Promise<void> {
  const last = new Map<number, Acknowledgement>()
  for (const each of all) last.set(each.received.partition, each)
  const confirming: Promise<unknown>[] = []
  for (const each of all) {
    const { acknowledgeTo, partition } = each.received
    if (last.get(partition) === each) confirming.push(link.request('Settling', acknowledgeTo.subject, each.body))
    else link.client.publish(acknowledgeTo.subject, each.body)
  }
  await Promise.all(confirming)
}
