import type { RunningServer, ServerKind } from './server-kind.ts'
import { startServer } from './start-server.ts'

/** One kind of real server, as a test file sees it. The run starts it because the file imports it by name. */
export interface TestServer<Place, Options> {
  readonly name: string
  /** Whether this run has it. */
  readonly isHere: boolean
  /** A group of tests: skipped where the run has no such server, failed where it is required. */
  describe(name: string, body: () => void): void
  /** A place of its own on the run's shared server. */
  fresh(): Promise<Place>
  /** A private server that can be killed and restarted. Whoever starts it stops it. */
  start(options?: Options): Promise<RunningServer>
}

export function testServer<Place, Options extends object>(
  kind: ServerKind<Options>,
  fresh: (url: string) => Promise<Place>,
): TestServer<Place, Options> {
  const { name, variable } = kind
  const leftOut = () => JSON.parse(process.env.EVT_SERVERS_LEFT_OUT ?? '{}')[name]
  const address = () => process.env[variable] || undefined
  return {
    name,
    get isHere() {
      return leftOut() === undefined && address() !== undefined
    },
    describe(title, body) {
      if (this.isHere) return describe(title, body)
      const why = leftOut()
      if (why === undefined) throw new Error(`Import ${name} from @evt/servers by name, in the test file itself`)
      const required = (process.env.EVT_REQUIRE_SERVERS ?? '').split(',').some((wish) => wish.trim() === name)
      if (!required) return describe.skip(title, body)
      describe(title, () => {
        it(`has the ${name} server that EVT_REQUIRE_SERVERS demands`, () => {
          throw new Error(why)
        })
      })
    },
    async fresh() {
      const url = address()
      if (url === undefined) throw new Error(`This run has no ${name}: ${leftOut() ?? 'nothing asked for it'}`)
      return fresh(url)
    },
    start: (options) => startServer(kind, options ?? ({} as Options)),
  }
}
