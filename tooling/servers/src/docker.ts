/** The only file that talks to testcontainers. Its helper container removes what a killed runner leaves behind. */
import type { Container, ContainerEngine } from './containers.ts'

let answer: Promise<boolean> | undefined

export const docker: ContainerEngine = {
  answers() {
    answer ??= client().then(
      () => true,
      () => false,
    )
    return answer
  },
  async run({ image, command, environment, containerPort, hostPort }): Promise<Container> {
    const { GenericContainer, Wait } = await import('testcontainers')
    const started = await new GenericContainer(image)
      .withCommand([...command])
      .withEnvironment({ ...environment })
      .withExposedPorts({ container: containerPort, host: hostPort })
      .withWaitStrategy(Wait.forListeningPorts())
      .start()
    const container = (await client()).container.getById(started.getId())
    return {
      down: () => container.stop(),
      kill: () => container.kill(),
      up: () => container.start(),
      async remove() {
        await started.stop()
      },
    }
  },
}

async function client() {
  const { getContainerRuntimeClient } = await import('testcontainers')
  return getContainerRuntimeClient()
}
