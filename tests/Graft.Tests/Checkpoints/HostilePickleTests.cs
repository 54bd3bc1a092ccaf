using System.Diagnostics;
using Graft.Testing;
using static Graft.Tests.Checkpoints.PickleWriter;

namespace Graft.Tests.Checkpoints;

/// <summary>Pickles that run code when Python loads them, and pickles that only waste time and memory.</summary>
public sealed class HostilePickleTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static readonly Dictionary<string, Action<PickleWriter, string>> Attacks = new()
    {
        ["os.system"] = (p, command) => p.Global("os", "system").Text(command).Raw(0x85).Op('R'),
        ["posix.system"] = (p, command) => p.Global("posix", "system").Op('(').Op('U').Raw((byte)command.Length)
            .Raw(System.Text.Encoding.ASCII.GetBytes(command)).Op('t').Op('R'),
        ["nt.system"] = (p, command) => p.Text("nt").Text("system").Raw(0x93).Text(command).Raw(0x85).Op('R'),
        ["builtins.eval"] = (p, command) =>
            p.Global("builtins", "eval").Text($"__import__('os').system('{command}')").Raw(0x85).Op('R'),
        ["__builtin__.eval"] = (p, command) => p.Global("__builtin__", "eval").Text(command).Raw(0x85).Op('R'),
        ["builtins.exec"] = (p, command) => p.Text("builtins").Text("exec").Raw(0x93).Text(command).Raw(0x85).Op('R'),
        ["builtins.getattr"] = (p, command) =>
            p.Global("builtins", "getattr").Global("os", "environ").Text(command).Raw(0x86).Op('R'),
        ["subprocess.Popen"] = (p, command) => p.Global("subprocess", "Popen").Text(command).Raw(0x85).Raw(0x81),
        ["os.popen"] = (p, command) => p.Op('(').Text(command).Op('i').Line("os").Line("popen"),
        ["commands.getoutput"] = (p, command) => p.Op('(').Global("commands", "getoutput").Text(command).Op('o'),
        ["torch.storage._load_from_bytes"] = (p, command) =>
            p.Global("torch.storage", "_load_from_bytes").Text(command).Raw(0x85).Op('R'),
        ["torch.load"] = (p, command) => p.Global("torch", "load").Text(command).Raw(0x85).Op('R'),
        ["torch._utils.os.system"] = (p, command) =>
            p.Global("torch._utils", "os.system").Text(command).Raw(0x85).Op('R'),
        ["collections.OrderedDict.os"] = (p, command) =>
            p.Global("collections", "OrderedDict.os").Text(command).Raw(0x85).Op('R'),
    };

    public static TheoryData<string> AttackNames => [.. Attacks.Keys];

    [Theory]
    [MemberData(nameof(AttackNames))]
    public void Code_is_refused_by_name_and_never_run(string name)
    {
        var marker = _folder.File("owned");
        void Attack(PickleWriter pickle) => Attacks[name](pickle, $"touch {marker}");
        Action<PickleWriter>[] objects =
        [
            Attack,
            Dictionary(("a", Vector("0", 6)), ("b", Attack)),
            p => { Dictionary(("a", Vector("0", 6)))(p); p.Op('('); Attack(p); p.Op('1'); },
        ];
        foreach (var pickle in objects.Select(root => Write(root)))
        {
            byte[][] files =
            [
                TorchFile.Zip(pickle, new Dictionary<string, byte[]> { ["0"] = new byte[24] }),
                TorchFile.Legacy(pickle, ("0", 4, new byte[24])),
            ];
            foreach (var file in files)
            {
                var message = _folder.OpenFails(file);
                Assert.Contains($"'{name}'", message, StringComparison.Ordinal);
                Assert.Contains("never runs code", message, StringComparison.Ordinal);
            }
        }
        Assert.False(File.Exists(marker));
    }

    [Fact]
    public void Code_in_place_of_the_legacy_magic_number_is_refused_too()
    {
        var message = _folder.OpenFails(Write(p => p.Global("os", "system").Text("touch owned").Raw(0x85).Op('R')));
        Assert.Contains("'os.system'", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pickled_object_without_tensors_is_told_to_save_a_state_dictionary()
    {
        var message = _folder.OpenFails(TorchFile.Zip(Write(p =>
            p.Global("torch.nn.modules.container", "Sequential").Op(')').Raw(0x81))));

        Assert.Contains("an object of 'torch.nn.modules.container.Sequential' without any", message, StringComparison.Ordinal);
        Assert.Contains("model.state_dict()", message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_allowed_name_is_only_called_with_what_builds_tensors()
    {
        Action<PickleWriter>[] misuses =
        [
            p => p.Global("torch", "FloatStorage").Op(')').Op('R'),
            p => p.Global("torch._utils", "_rebuild_tensor_v2").Op(')').Op('R'),
            p => p.Global("torch._utils", "_rebuild_parameter").Text("x").Raw(0x85).Op('R'),
            p => p.Global("collections", "OrderedDict").Text("x").Raw(0x85).Op('R'),
            p => p.Text("not a function").Op(')').Op('R'),
            p => p.Op('(').Text("storage").Text("FloatStorage").Text("0").Text("cpu").Number(1).Op('t').Op('Q'),
            p => p.Op('(').Text("module").Text("x").Op('t').Op('Q'),
            p => p.Op(')').Op('}').Op('b'),
        ];
        foreach (var misuse in misuses) _folder.OpenFails(TorchFile.Zip(Write(misuse)));
    }

    public static TheoryData<string, byte[]> Bombs()
    {
        var many = new byte[3_000_000];
        return new()
        {
            { "lists of lists, doubling", Write(Doubling) },
            { "millions of dictionaries", Repeat('}') },
            { "millions of marks", Repeat('(') },
            { "long number", Write(p => p.Raw(0x8B).Raw(BitConverter.GetBytes(int.MaxValue))) },
            { "long number, sound", Write(p => p.Raw(0x8B).Raw(BitConverter.GetBytes(many.Length)).Raw(many)) },
            { "negative length", Write(p => p.Op('X').Raw(BitConverter.GetBytes(-1))) },
            { "endless text", Write(p => p.Raw(0x8D).Raw(BitConverter.GetBytes(long.MaxValue))) },
            { "long name", Write(p => p.Op('c').Raw(many)) },
            { "memo at four billion", Write(p => p.Op('}').Op('r').Raw(BitConverter.GetBytes(uint.MaxValue))) },
            { "dictionary in itself", Write(p => p.Op('}').Op('q').Raw(0).Text("model").Op('h').Raw(0).Op('s')) },
            { "one list made into dictionaries for ever", Write(RepeatedPairs) },
            { "nothing on the stack", Write(p => p.Op('R')) },
            { "no mark", Write(p => p.Op('u')) },
        };

        static void Doubling(PickleWriter pickle)
        {
            pickle.Op(']').Op('q').Raw(0);
            for (byte level = 1; level < 200; level++)
            {
                var last = (byte)(level - 1);
                pickle.Op(']').Op('(').Op('h').Raw(last).Op('h').Raw(last).Op('e').Op('q').Raw(level);
            }
        }

        static byte[] Repeat(char opcode) =>
            Write(p => p.Raw(Enumerable.Repeat((byte)opcode, 15_000_000).ToArray()));

        static void RepeatedPairs(PickleWriter pickle)
        {
            pickle.Op(']').Op('(');
            for (var i = 0; i < 20_000; i++) pickle.Text($"{i}").Op('N').Raw(0x86);
            pickle.Op('e').Op('q').Raw(0);
            for (var i = 0; i < 20_000; i++)
                pickle.Global("collections", "OrderedDict").Op('h').Raw(0).Raw(0x85).Op('R');
        }
    }

    [Theory]
    [MemberData(nameof(Bombs), DisableDiscoveryEnumeration = true)]
    public void Bombs_end_in_an_error_soon(string name, byte[] pickle)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var clock = Stopwatch.StartNew();
        Assert.NotEmpty(_folder.OpenFails(TorchFile.Zip(pickle)));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"{name}: {clock.Elapsed}");
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 600L << 20, name);
    }
}
