import API
import Core
import Foundation
import Pipelines
import SwiftProtobuf

extension DatumView {
    var message: PpsV2_DatumInfo {
        .with {
            $0.datum.id = "\(id)"
            if let job { $0.datum.job = job.message }
            $0.state = PpsV2_DatumState(rawValue: state.rawValue) ?? .unknown
            $0.stats = stats.message
            if let meta {
                $0.pfsState.commit = meta.message
                $0.pfsState.path = String(DatumRecord.filesFolder(of: id).dropLast())
            }
            $0.data = inputs.map(\.message)
        }
    }
}

extension DatumRecord.Input {
    fileprivate var message: PfsV2_FileInfo {
        .with {
            $0.file.commit = branch.repo.commit(commit).message
            $0.file.path = path
            $0.fileType = isDirectory ? .dir : .file
            $0.sizeBytes = Int64(clamping: size)
            $0.hash = Data(digest.bytes)
        }
    }
}

extension JobKey {
    var message: PpsV2_Job {
        .with {
            $0.pipeline = pipeline.message
            $0.id = id.description
        }
    }
}

extension DatumStats {
    var message: PpsV2_ProcessStats {
        .with {
            $0.downloadTime = Google_Protobuf_Duration(seconds: downloadSeconds)
            $0.processTime = Google_Protobuf_Duration(seconds: processSeconds)
            $0.uploadTime = Google_Protobuf_Duration(seconds: uploadSeconds)
            $0.downloadBytes = Int64(clamping: downloadBytes)
            $0.uploadBytes = Int64(clamping: uploadBytes)
        }
    }
}

extension Google_Protobuf_Duration {
    /// Rounded to microseconds, as it is kept.
    init(seconds: Double) {
        let micros = Int64((seconds * 1e6).rounded())
        self.init(seconds: micros / 1_000_000, nanos: Int32(micros % 1_000_000) * 1000)
    }
}
