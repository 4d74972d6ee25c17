import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../../../docker-compose.yml', import.meta.url))

/** A service of docker-compose.yml, as far as tests need it. */
export interface ComposeService {
  readonly image: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string | number>>
  readonly ports?: readonly string[]
  readonly profiles?: readonly string[]
  readonly healthcheck?: object
}

export async function composeServices(): Promise<Readonly<Record<string, ComposeService>>> {
  const { parse } = await import('yaml')
  return parse(await readFile(file, 'utf8')).services
}
