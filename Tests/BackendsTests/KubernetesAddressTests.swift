import Core
import Testing

@testable import Server

/// Addresses in flags: `HOST[:PORT]`.
@Suite struct KubernetesAddressTests {
    @Test(arguments: [
        ("pachd", "pachd", nil), ("pachd.n.svc:30650", "pachd.n.svc", 30650), ("10.1.2.3:1", "10.1.2.3", 1),
        ("fd00::1", "fd00::1", nil), ("[fd00::1]", "fd00::1", nil), ("[fd00::1]:65535", "fd00::1", 65535),
    ] as [(String, String, Int?)])
    func whatIsOneIsRead(_ text: String, _ host: String, _ port: Int?) throws {
        var settings = KubernetesSettings()
        settings.service = text
        let address = try settings.address()
        #expect(address.host == host && address.port == port)
    }

    @Test(
        arguments: ["", ":1", "pachd:", "pachd:0", "pachd:65536", "pachd:1:2", "[]", "[]:5", "[fd00::1]5", "[fd00::1"])
    func whatIsNoneIsRefused(_ text: String) throws {
        var settings = KubernetesSettings()
        settings.service = text
        let error = #expect(throws: SpileError.self) { try settings.address() }
        #expect(error?.code == .invalidArgument && error?.message == "--kubernetes-service \(text) is not NAME[:PORT]")
    }

    @Test func aWorkersAddressThatIsNoneIsRefusedBeforeAnythingIsAsked() throws {
        var settings = KubernetesSettings()
        settings.workerAddress = "host:port"
        let error = #expect(throws: SpileError.self) { try settings.door(toward: "https://cluster:6443") }
        #expect(error?.message == "--kubernetes-address host:port is not HOST[:PORT]")
        settings.workerAddress = "host:30654"
        _ = try settings.door(toward: "https://cluster:6443")
    }
}
