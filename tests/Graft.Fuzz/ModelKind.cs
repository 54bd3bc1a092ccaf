using Graft.Classifiers;
using Graft.Imaging;
using Graft.Networks;
using SkiaSharp;

namespace Graft.Fuzz;

/// <summary>Trained models, opened and asked about a photo.</summary>
internal sealed class ModelKind : FuzzKind
{
    public override string Name => "models";

    public override IReadOnlyList<byte[]> Words =>
    [
        [.. "Dense"u8], [.. "Convolution"u8], [.. "\\\"units\\\":"u8], [.. "null"u8], [.. "[]"u8], [.. "{}"u8], [.. "-1"u8], [.. "1e9"u8], [.. "\"F16\""u8], [.. "\"I64\""u8],
    ];

    public override IReadOnlyList<Seed> Seeds(string folder)
    {
        using (var bitmap = new SKBitmap(8, 8))
        using (var png = bitmap.Encode(SKEncodedImageFormat.Png, 100)) File.WriteAllBytes(Path.Combine(folder, "photo.png"), png.ToArray());
        var builder = new NetworkBuilder("small");
        var network = builder.Build(
            builder.Input("image", channels: 3, size: 8).Convolution("conv", 2, kernel: 3).BatchNorm("norm", 1e-5).Relu("relu").GlobalPool("pool").Dense("fc", 2).Softmax("softmax"));
        var path = Path.Combine(folder, "seed.safetensors");
        using (var model = ImageClassifier.Of("small", network, new RandomWeights(1), Preprocessing.UnitRange(8), ["rose", "tulip"], "pool")) model.Save(path);
        return [new("safetensors", File.ReadAllBytes(path))];
    }

    public override bool Read(byte[] input, string folder)
    {
        var path = Path.Combine(folder, "model.safetensors");
        File.WriteAllBytes(path, input);
        try
        {
            using var model = ImageClassifier.Open(path);
            model.Predict(Path.Combine(folder, "photo.png"));
            return true;
        }
        catch (GraftException)
        {
            return false;
        }
    }
}
