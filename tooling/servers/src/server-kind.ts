/** A server that runs and belongs to whoever started it. */
export interface RunningServer {
  /** The same for the server's whole life, also after `restart`. */
  readonly url: string
  /** Stops it for good and removes its files. */
  stop(): Promise<void>
  /** SIGKILL, as a crash: it stays down, its files stay, until `restart` or `stop`. */
  kill(): Promise<void>
  /** Down and up again with the same address and files: gracefully, or by SIGKILL; a server that is down only starts. */
  restart(options?: { readonly kill?: boolean }): Promise<void>
}

/** How a kind of server runs in a container. */
export interface ContainerRecipe {
  /** The service of docker-compose.yml whose image, environment and command it has. */
  readonly service: string
  /** The port inside the container. */
  readonly port: number
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly url: string
}

/** One kind of server that tests can ask for. */
export interface ServerKind<Options = object> {
  /** As in EVT_REQUIRE_SERVERS and in what the run says. */
  readonly name: string
  /** The variable that holds the address of one that runs already. */
  readonly variable: string
  /** Starts one on this machine, fetching it where it is missing. */
  startHere(options: Options): Promise<RunningServer>
  /** `port` is the port on this machine. */
  container(port: number, options: Options): ContainerRecipe
  /** Whether it does real work; may throw while it does not. */
  ready(url: string): Promise<boolean>
}
