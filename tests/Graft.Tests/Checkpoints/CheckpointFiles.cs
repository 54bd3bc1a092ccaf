using Graft.Checkpoints;
using Graft.Testing;

namespace Graft.Tests.Checkpoints;

internal static class CheckpointFiles
{
    /// <summary>Opens bytes as a file whose extension says nothing.</summary>
    public static Checkpoint Open(this TemporaryFolder folder, byte[] content)
    {
        var path = folder.File("weights.bin");
        File.WriteAllBytes(path, content);
        return Checkpoint.Open(path);
    }

    public static string OpenFails(this TemporaryFolder folder, byte[] content) =>
        Assert.Throws<CheckpointException>(() => folder.Open(content).Dispose()).Message;

    /// <summary>
    /// A file that is cut short fails as a checkpoint does, never in another way: at every length, or for larger files
    /// at those near either end and a sample of the others.
    /// </summary>
    public static void EveryPrefixFails(this TemporaryFolder folder, byte[] content)
    {
        folder.Open(content).Dispose();
        var step = content.Length < 2000 ? 1 : content.Length / 100;
        for (var length = 0; length < content.Length;)
        {
            Assert.Contains("weights.bin", folder.OpenFails(content[..length]), StringComparison.Ordinal);
            length += length > 64 && length < content.Length - 64 - step ? step : 1;
        }
    }

    public static float[] Values(this Checkpoint checkpoint, string name)
    {
        var values = new float[checkpoint.Find(name)!.ElementCount];
        checkpoint.Read(name, values);
        return values;
    }
}
