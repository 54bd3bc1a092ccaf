using Graft.Checkpoints;
using Graft.Testing;

namespace Graft.Tests.Checkpoints;

public class CheckpointFormatTests
{
    /// <summary>A length of 640 begins with the bytes 80 02, as a pickle does.</summary>
    [Fact]
    public void Safetensors_is_known_whatever_the_length_of_its_header()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("weights.safetensors");
        for (var length = 0; length < 1600; length += 8)
        {
            SafetensorsWriter.Write(path, [new("a", TensorType.Float32, [1], new float[1])],
                new Dictionary<string, string> { ["padding"] = new('x', length) });
            using var checkpoint = Checkpoint.Open(path);
            Assert.Single(checkpoint.Tensors);
        }
    }
}
