using Graft.Networks;
using Graft.Networks.Onnx;

namespace Graft.Fuzz;

/// <summary>ONNX files, as a backbone that a user names.</summary>
internal sealed class OnnxKind : FuzzKind
{
    public override string Name => "onnx";

    /// <summary>Small operators, whose names take each other's place.</summary>
    public override IReadOnlyList<byte[]> Words =>
        [[.. "Relu"u8], [.. "Conv"u8], [.. "Gemm"u8], [.. "Loop"u8], [.. "Tile"u8], [.. "Cast"u8], [.. "Clip"u8], [.. "Concat"u8], [.. "Expand"u8], [.. "Shape"u8]];

    public override IReadOnlyList<Seed> Seeds(string folder)
    {
        var plain = new NetworkBuilder("plain");
        var branched = new NetworkBuilder("branched");
        var stem = branched.Input("image", channels: 3, size: 8).Convolution("conv", 4, kernel: 3, padding: 1).BatchNorm("norm", 1e-5).Relu("relu");
        return
        [
            new("plain.onnx", Bytes(plain.Build(plain.Input("image", channels: 3, size: 8).Convolution("conv", 2, kernel: 3).Relu("relu").GlobalPool("pool").Dense("fc", 3).Softmax("softmax")))),
            new("branched.onnx", Bytes(branched.Build(stem.Add("add", stem.Convolution("side", 4, kernel: 1)).MaxPool("max", kernel: 2, stride: 2).Flatten("flat")))),
        ];
    }

    public override bool Read(byte[] input, string folder)
    {
        var path = Path.Combine(folder, "model.onnx");
        File.WriteAllBytes(path, input);
        try
        {
            OnnxFile.Read(path);
            OnnxFile.Tensors(path);
            return true;
        }
        catch (GraftException)
        {
            return false;
        }
    }

    private static byte[] Bytes(Network network) => OnnxModel.Of(network, new RandomWeights(1)).ToArray();
}
