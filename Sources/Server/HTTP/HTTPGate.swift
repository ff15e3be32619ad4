import Core
import Hummingbird
import Versioning

/// Lets in who calls by plain HTTP: by the header or the query parameter `authn-token`, or a bearer's, which is what
/// Prometheus and curl send (`clients.md` §4, §6).
struct HTTPGate: Sendable {
    let callers: Callers

    /// Blocks. Throws `unauthenticated` and `permissionDenied`, as calls do.
    func principal(of request: Request, under rule: CallRule) throws -> Principal {
        try callers.principal(token: Self.token(of: request), under: rule)
    }

    /// The one in the query counts first.
    private static func token(of request: Request) -> String? {
        if let token = request.uri.queryParameters[Substring(Callers.header)] { return String(token) }
        if let field = request.headers.first(where: { $0.name.canonicalName == Callers.header }) { return field.value }
        guard let value = request.headers[.authorization] else { return nil }
        let scheme = "bearer "
        return value.lowercased().hasPrefix(scheme) ? String(value.dropFirst(scheme.count)) : nil
    }

    /// Whether an error is about who calls; any other is the server's own trouble.
    static func isRefusal(_ error: SpileError) -> Bool {
        [.unauthenticated, .permissionDenied].contains(error.code)
            || (error.code, error.message) == (SpileError.expiredToken.code, SpileError.expiredToken.message)
    }

    /// 401 for a token that is missing or not good, 403 for one that does not suffice.
    static func response(_ error: SpileError) -> Response {
        Response.text("\(error)\n", status: error.code == .permissionDenied ? .forbidden : .unauthorized)
    }
}
