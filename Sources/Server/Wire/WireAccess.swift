import API
import Core

extension Permission {
    init(_ message: AuthV2_Permission) throws {
        guard let known = Permission(rawValue: message.rawValue) else {
            throw SpileError.invalid(
                "permission \(message.rawValue) is unknown", remedy: "use one of auth.proto, such as REPO_READ")
        }
        self = known
    }

    var message: AuthV2_Permission { AuthV2_Permission(rawValue: rawValue) ?? .unknown }
}

extension AccessResource {
    init(_ isPresent: Bool, _ message: AuthV2_Resource) throws {
        guard isPresent else {
            throw SpileError.invalid("validate request: resource is missing", remedy: "name one, or the cluster")
        }
        guard let kind = Kind(rawValue: message.type.rawValue) else {
            throw SpileError.invalid(
                "resource type \(message.type.rawValue) is unknown", remedy: "use CLUSTER, PROJECT or REPO")
        }
        guard kind == .cluster || kind == .project || !message.name.isEmpty else {
            throw SpileError.invalid("the resource of type \(kind.name) has no name")
        }
        self.init(kind, name: message.name)
    }
}

extension Role {
    var message: AuthV2_Role {
        .with {
            $0.name = name
            $0.permissions = permissions.sorted().map(\.message)
            $0.canBeBoundTo = bindableTo.map(\.message)
            $0.returnedFor = returnedFor.map(\.message)
        }
    }
}

extension AccessResource.Kind {
    fileprivate var message: AuthV2_ResourceType { AuthV2_ResourceType(rawValue: rawValue) ?? .unknown }
}

extension TokenRecord {
    /// The hash is 64 hex digits.
    init(_ message: AuthV2_TokenInfo) throws {
        guard let hash = Hex.decode(message.hashedToken), hash.count == Digest.byteCount else {
            throw SpileError.invalid("hashed_token is not 64 hex digits", remedy: "take it from ExtractAuthTokens")
        }
        self.init(
            hash: Digest(hash), subject: try Subject(message.subject),
            expiresAt: message.hasExpiration ? Instant(message.expiration) : nil)
    }

    var message: AuthV2_TokenInfo {
        .with {
            $0.subject = subject.description
            $0.hashedToken = hash.description
            if let expiresAt { $0.expiration = expiresAt.message }
        }
    }
}

extension AccessCheck {
    /// What the caller may do with a thing, for calls that show it.
    mutating func message(on resource: AccessResource) throws -> PfsV2_AuthInfo {
        do {
            let (roles, permissions) = try everything(on: resource)
            return .with {
                $0.roles = roles.map(\.name).sorted()
                $0.permissions = permissions.sorted().map(\.message)
            }
        } catch let error as SpileError where error.code == .notFound {
            return PfsV2_AuthInfo()
        }
    }
}
