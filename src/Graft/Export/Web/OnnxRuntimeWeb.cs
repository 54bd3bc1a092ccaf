using System.IO.Compression;
using System.Security.Cryptography;

namespace Graft.Export.Web;

/// <summary>ONNX Runtime for browsers, the npm package onnxruntime-web 1.30.0, which is in this assembly: an export needs no network.</summary>
internal static class OnnxRuntimeWeb
{
    /// <summary>SHA-256 of each file, as <c>onnxruntime/update.sh</c> prints it.</summary>
    private static readonly (string Name, string Hash)[] Compressed =
    [
        ("ort.wasm.min.mjs", "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b"),
        ("ort-wasm-simd-threaded.mjs", "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b"),
        ("ort-wasm-simd-threaded.wasm", "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"),
    ];

    public static IEnumerable<(string Name, byte[] Content)> Files()
    {
        foreach (var (name, hash) in Compressed)
        {
            using var stream = new BrotliStream(WebFolder.Open($"onnxruntime/{name}.br"), CompressionMode.Decompress);
            using var content = new MemoryStream();
            stream.CopyTo(content);
            var bytes = content.ToArray();
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != hash)
                throw new InvalidOperationException($"The SHA-256 of {name} in this assembly is not {hash}: it was built from other files.");
            // Some web servers do not know .mjs for a script.
            yield return ($"onnxruntime/{Path.ChangeExtension(name, Path.GetExtension(name).Replace(".mjs", ".js", StringComparison.Ordinal))}", bytes);
        }
        yield return ("onnxruntime/LICENSE", WebFolder.Read("onnxruntime/LICENSE"));
    }
}
