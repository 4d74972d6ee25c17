import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { invalidOption } from '@evt/core'

const names = ['EVT_PG_URL', 'EVT_REDIS_URL', 'EVT_NATS_URL', 'EVT_KAFKA_URL', 'EVT_MONGO_URL'] as const
export type AddressName = (typeof names)[number]
/** Where servers are; those that are not named are not used or are embedded. */
export type Addresses = Readonly<Partial<Record<AddressName, string>>>

/** Reads a file of `NAME=value` lines, such as `.env.compose`. Throws `EVT_OPTION_INVALID`. */
export function readAddresses(file: string): Addresses {
  let found: NodeJS.Dict<string>
  try {
    found = parseEnv(readFileSync(file, 'utf8'))
  } catch (error) {
    throw invalidOption('--env', `cannot read "${file}": ${(error as Error).message}`)
  }
  const addresses: Partial<Record<AddressName, string>> = {}
  for (const name of names) if (found[name]) addresses[name] = found[name]
  const { EVT_PG_URL: url } = addresses
  if (url === undefined) throw invalidOption('--env', `expected a line EVT_PG_URL=… in "${file}"`)
  // The address may hold a password: the message must not repeat it.
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol))
    throw invalidOption('--env', `expected EVT_PG_URL in "${file}" to begin with postgres://`)
  return addresses
}
