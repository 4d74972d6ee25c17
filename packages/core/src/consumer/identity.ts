import { checkName } from '../names.ts'
import type { SubscribeOptions } from '../subscription-options.ts'
import type { ConsumeSpec, StartAt, TransportSupport } from '../transport.ts'
import { uuidv7 } from '../uuid.ts'

/** Who a subscription is towards the broker. */
export interface Identity {
  readonly consumer: string
  readonly as: ConsumeSpec['as']
  /** Where the subscription says it starts; undefined where it leaves that to the transport. */
  readonly from: StartAt | undefined
}

/** `<service>/<group>` for workers, `<service>/<name>@<instance>` for broadcast: each replica is somebody of its own. */
export function identify(service: string, options: SubscribeOptions, defaultName: string): Identity {
  if (options.mode === 'broadcast') {
    const name = checkName('subscription', options.name ?? defaultName)
    const durable = options.instance !== undefined
    const instance = durable ? checkName('instance', options.instance) : uuidv7(Date.now())
    return {
      consumer: `${service}/${name}@${instance}`,
      as: { reader: durable ? 'durable' : 'ephemeral' },
      from: options.startAt,
    }
  }
  const group = checkName('group', options.group ?? service)
  return { consumer: `${service}/${group}`, as: { group: `${service}/${group}` }, from: options.startAt }
}

/** A group misses nothing where the transport keeps what was published before it; everybody else starts at the latest. */
export function startOf({ as, from }: Identity, { starts }: TransportSupport): StartAt {
  return from ?? ('group' in as && starts.includes('earliest') ? 'earliest' : 'latest')
}
