using System.IO.Compression;
using System.Text;
using Graft.Checkpoints;
using Graft.Testing;

namespace Graft.Tests.Checkpoints;

/// <summary>HDF5 files that would read others, or more than they hold. Written by h5py 3.7 and packed by gzip.</summary>
public sealed class OtherFilesTests : IDisposable
{
    private const int PathLength = 120;

    /// <summary>One dataset of 15 numbers in external storage: the file ../../../../../etc/passwd.</summary>
    private const string ExternalStorage = "H4sIAAAAAAACA+v0cHHj5ZLiYgABDg4GFgYBBmTwHwom8KHyYfIJUJoRSndA6RVMMHFmsJwEVFwAar4CM6r+kCBXV5Dq/2gAZo8DG4TmYBgFIxF4uDoGgOgIeDqCgBNMqOpyDFHToweF9gpCbUJP1zwMDlB7eIBpUoIhJ7EytSg+LzE3tRgsLgx0AEgpIyMjinsYMdyJPX90sJOWP1ZwjeaP0fyBmT9esNI2fwT7+bswAk2DpbsGZlTzV0D5J1hH44iYcgY9vBDlDC+4nClPzUzPKEEUNKByhg1vOaNfbmUA4jOilDMw+wSgEWfARVw548E7Ws6MljOY5UwAF6o6cKKjYTnzgh01naOn41GAHTACSwtGpIBjhJYIsPKDH6oORjMD5UEyggrywL4BuOXOIM7BIF4PlWcFxghInomJCWwAO4MGmA/BQBJHeWHDABOH2M/MCCtpbNBURtAlPWuglZsKvKjq9PT0kVFqSbJ+QWJxcXkKjvT5gXs0rZEDABAtCZ2QDgAA";

    /// <summary>A virtual dataset of the dataset x in target.h5.</summary>
    private const string VirtualDataset = "H4sIAAAAAAACA+v0cHHj5ZLiYgABDg4GFgYBBmTwHwocpFD5MPkEKM0IpTug9AommDgzWE4CKi4ANb9BElV/SJCrK0j1fzQAs+cBK4TmYBgFIxF4uDoGgOgIeDqCgBNMqOqS8/PKDJHSoweF9uJKvw9ITL8WEqPpdzT9ItIvLD11sKKqy04tykvNsTJgQCtXHci0N9jP34URaAos3Skwo5rrAeVnsI7GEf5ygA0SZowwPiQGGRkZUfI1jGYGyoNkBBXkgXUqOOQZxDkYxOuh8qxAlSB5JiYmRog+SLnCwmzBgRxDQlATQTy7HVzZwJpzUISHu7O/DyNSQQxLT57oCbcksSg9tUQvw5ShgoEZSRwEmJD4AlA2jM8OxMe1Ateh2TuBfzQtjoJRMApGwSgYBaNgFIyCUTAKRsEoGAX0AujjShrso2FCDhCEDqCgz5vwQEf8GIEsDgYJhpzEytSi+LzE3NRisLgwI2gMCTH+BBs2gdGwcXCY+ejjfAjzecHml6dmpmeUICwAmc+Bx3zYOCUADVqdOUAaAAA=";

    /// <summary>The group of a layer is an external link; its file is /ttt… with <see cref="PathLength"/> characters.</summary>
    private const string LinkedGroup = "H4sIAAAAAAACA+v0cHHj5ZLiYgABDg4GFgYBBmTwHwoMWFD5MPkEKM0IpTug9AommDgrWE4CKi4ANV+BGcqHagwJcnVFNh/dnlEwsoGHq2MAiI6A8jmg9AkmVHWwdBhAJXt5GByg5vIA7ZRgyEmsTC2Kz0vMTS0GiwsDLWQFyTMyotgPo5Pz88oMgTQTPAdgT+FcQNMZkexlY5gAMYfDgRVsRiMDg37JwAAGfZgvGBgAFB4UzTAEAAA=";

    /// <summary>The weight of a layer is such a link.</summary>
    private const string LinkedDataset = "H4sIAAAAAAACA+v0cHHj5ZLiYgABDg4GFgYBBmTwHwoWcKDyYfIJUJoRSndA6RVMMHFmsJwEVFwAar4CM6r+kCBXV5Dq/2gAZo8DG4TmYBgFIxF4uDoGgOgIeDqCgBNMqOqS8/PKDJHSoweF9gpCbUJP1zwMDtD0zQNMkxIMOYmVqUXxeYm5qcVgcWGgA1hB8oyMKPmDEcOdrFjzRwc7hC/BiJw/GHDmj1Ewmj+Q8wesnHzBiqoOlv4CqGRvsJ+/CyPQVJh9Dcyo9qyA8k+wjsYRPoAoT3jB5Ul5amZ6RgmiQAGVJxx4ypPs1KK81BwrAyZ4SYK9pOACmsKIZC8bwwyIORwOHDAzuhgY9EsGBjDogwtGfZhTGAAvu0qjoAgAAA==";

    /// <summary>Four numbers in one compressed chunk of 2²⁸.</summary>
    private const string LargeChunk = "H4sIAFr3CmsC/+v0cHHj5ZLiYgABDg4GFgYBBmTwHwr6xFD5MPkEKM0IpTug9AommDgzWE4CKi4ANV+BGVV/SJCrK0j1fzQAs8eBDUJzMIyCkQg8XB0DQHQEPB1BwAkmVHUpqXnFqUjp0YNCewWhNqGnax4GB2j65gGmSQmGnMTK1KL4vMTc1GKwuDDQAawgeUZGlPzBiOFO7Pmjgx3CzyAyf2zgGs0fo/kDM3+8YKVt/gj283dhBJoGS3cNzKjpfAWUf4J1NI6IKWfQw4sHGkOMDLzgcqY8NTM9owRR0IDKGT5C5Yx+dmpRXmqOlQFInBGlvIHZKwGNQAsu4sobDt7R8ma0vEGUN7D0FMGFqg6R8lDTpQOVypsP7KjmoqfjUYAdMDKwQcKMEcaHxCCsHGFBa/8zA+VBMoIK8lA5BQZxDgbxeqg6VmCMgOSZIM0ZBm6gPCPYPJj5HOCSJyU1LSexJBVuPgfUXmYmpgA+uOsEWBAuTaBLeKCnqx/co2mEHACqNxix1Bt8ONQ3iGEICSCnv1EwCkbBKBgFo2AUDD9QMSc5IWNDusMhBrEvTH8B2IcmHo4WAAA=";

    /// <summary>Four numbers, in a chunk that inflates to 1 GiB instead of 4 MiB.</summary>
    private const string InflatingChunk = "H4sIAGP3CmsC/+3cPYscZQDA8d17SZZLckkQNWhhvoBoI4gonGA0lQZfwE4PXE0wSZFE1CoHKmjnx7DTxs5Cu3wDXypLiyAiIhZivN3bTdxLwOAr3P/3a4admZtZZp55drnk/h+cfOLJQ2v3rA0mRqPByuDI4I+uzTy6fGTh9Xz7y7PlcLZ8f7b8aGm+fnm67dhs/ZHZ8Y8vL/7888+eODHZ+9ou8/Ns7NtZjgYUnTzx+KnJ8sXr42jHlaXF/V4Zn784/sN4PPk3z3t0dqbd4/rgYGM2vg9uj8ljg7Obb48vvHR+89z44nT9HdtvYHWyfThceD6GN73PWz8f7+/feX36Np+PT9Y8H56Pm5+P71b/3efjuaefeWK4fbT5uNtaXhznH81eX1l1j25nntl9vQ7O7tBwcGg6z7w5PvPa6Us3JprJPLP+Z/PMA6+PL5wfn33kwcn64cJ8Mz/vsdkNfHjt9uab0SHzjfnmxnwzH08vri3ud2PkLY7LjX9ovvlh/+Jxd49jbm042LdzzYbz1zt3cD6PrOz6/r+8vX2y5ejx+2bbjg/uHg3uvjzbb3X7jky2L+18nRkc2N4+nB5vfvzRdOZ5Zfzq2c1L4+vHH83Ou7y0dGp9cP3Da+XGO335P7keu8fVLweMkb9i8rkxvMXnxmdXD99y/627dq85sjD+AIC9561vrn4x/Y649eFvH38/8q0dAAAA9rytr99Znv6D0fFrXz556gUAAABgr9s8vD79X4Bbv7507+MuBwAAAOx57z328M7fBf54+dyKywEAAAB73p0/f7sx/V3AlWufHn3e9QAAAIA97yvBAAAAAEgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoEQwAAACAFsEAAAAAaBEMAAAAgBjBAAAAAGgRDAAAAIAWwQAAAABoEQwAAACAGMEAAAAAaBEMAAAAgBbBAAAAAGgRDAAAAIAYwQAAAABoOXN4fTT5XcC7P11+46nB/+yhz+8fDH8Ht5blPjwDEAA=";

    /// <summary>The attribute layer_names, of no layers.</summary>
    private const string NoLayers = "H4sIAOAIC2sC/+v0cHHj5ZLiYgABDg4GFgYBBmTwHwoqmFH5MPkEKM0IpTug9AommDgzWE4CKi4ANV8Bal4EVDwkyNUV2Xx0e0bByAYero4ByOmFA0qfYEJVB0uHAVSyVxCaXtHTNQ+DBdQ+HqBbJBhyEitTi+LzEnNTi8HiwowQtzAyMmI1FwAVNSD/eAMAAA==";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(ExternalStorage, "l1/l1/w:0")]
    [InlineData(VirtualDataset, "conv1/kernel:0")]
    public void Values_outside_the_file_are_refused_by_name(string packed, string tensor)
    {
        var message = _folder.OpenFails(Unpack(packed));

        Assert.Contains($"'{tensor}' lie outside", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LinkedGroup, "'conv1'")]
    [InlineData(LinkedDataset, "'kernel:0' of layer 'conv1'")]
    public void Links_into_another_file_are_refused_and_not_followed(string packed, string name)
    {
        var target = _folder.File("target.h5");
        var file = new PureHDF.H5File();
        var layer = new PureHDF.H5Group { ["kernel:0"] = new[] { 1f, 2f } };
        layer.Attributes["weight_names"] = new[] { "kernel:0" };
        file["conv1"] = layer;
        file.Write(target);
        var bytes = Unpack(packed);
        var at = bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes("/" + new string('t', PathLength - 1)));
        Encoding.ASCII.GetBytes(target.Insert(target.LastIndexOf('/') + 1, new string('/', PathLength - target.Length))).CopyTo(bytes, at);

        var message = _folder.OpenFails(bytes);

        Assert.Contains(name, message, StringComparison.Ordinal);
        Assert.Contains("Graft reads the weights file alone", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Keras_file_without_weights_is_refused() =>
        Assert.Contains("Expected Keras weights", _folder.OpenFails(Unpack(NoLayers)), StringComparison.Ordinal);

    [Fact]
    public void Chunk_that_claims_more_than_its_tensor_is_refused() =>
        Assert.Contains("'dense/kernel'", _folder.OpenFails(Unpack(LargeChunk)), StringComparison.Ordinal);

    [Fact]
    public void Chunk_that_inflates_to_more_than_it_claims_is_refused_in_little_memory()
    {
        var path = _folder.File("weights.h5");
        File.WriteAllBytes(path, Unpack(InflatingChunk));
        using var file = Checkpoint.Open(path);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var problem = Assert.Throws<CheckpointException>(() => file.Read("dense/kernel", new float[4]));

        Assert.Contains(path, problem.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
    }

    private static byte[] Unpack(string packed)
    {
        var bytes = new MemoryStream();
        using (var archive = new GZipStream(new MemoryStream(Convert.FromBase64String(packed)), CompressionMode.Decompress)) archive.CopyTo(bytes);
        return bytes.ToArray();
    }
}
