using System.Diagnostics;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using Graft.Checkpoints;
using Graft.Imaging;

namespace Graft.Tests;

/// <summary>Arrows between the folders of Graft run one way; see DESIGN.md, "Layout and direction".</summary>
public class ArchitectureTests
{
    private const string ProbeVariable = "GRAFT_TEST_PROBE_CHECKPOINT";
    private const int NothingOfTorch = 77;

    /// <summary>Left to right; a folder names no type of a folder to its right.</summary>
    private static readonly string[] Order =
        ["Data", "Networks", "Checkpoints", "Backbones", "Features", "Training", "Classifiers", "Evaluation", "Export", "Runs", "Selection"];

    /// <summary>Of every type of the assembly: what its members' signatures, local variables and instructions name.</summary>
    [Fact]
    public void Folders_name_nothing_to_their_right()
    {
        var violations = new HashSet<string>(StringComparer.Ordinal);
        foreach (var type in typeof(Checkpoint).Assembly.GetTypes())
        {
            if (PlaceOf(type) is not { } place) continue;
            foreach (var named in NamedBy(type).SelectMany(Parts))
                if (PlaceOf(named) > place) violations.Add($"{type.FullName} names {named.FullName}");
        }

        Assert.Empty(violations.Order(StringComparer.Ordinal));
    }

    /// <summary>The place in the order; null of a type outside of it.</summary>
    private static int? PlaceOf(Type type) =>
        type.Assembly == typeof(Checkpoint).Assembly && type.Namespace?.Split('.') is ["Graft", var folder, ..] && Array.IndexOf(Order, folder) is >= 0 and var place
            ? place
            : null;

    private static IEnumerable<Type> NamedBy(Type type)
    {
        const BindingFlags all = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        if (type.BaseType is { } parent) yield return parent;
        foreach (var contract in type.GetInterfaces()) yield return contract;
        foreach (var field in type.GetFields(all)) yield return field.FieldType;
        foreach (var method in type.GetMethods(all).Cast<MethodBase>().Concat(type.GetConstructors(all)))
        {
            if (method is MethodInfo { ReturnType: var returned }) yield return returned;
            foreach (var parameter in method.GetParameters()) yield return parameter.ParameterType;
            if (method.GetMethodBody() is not { } body) continue;
            foreach (var local in body.LocalVariables) yield return local.LocalType;
            foreach (var named in NamedIn(body, method)) yield return named;
        }
    }

    private static readonly Dictionary<short, OpCode> Instructions = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    /// <summary>The types that a method's instructions name: of what is called, made, read or cast.</summary>
    private static IEnumerable<Type> NamedIn(MethodBody body, MethodBase method)
    {
        var code = body.GetILAsByteArray()!;
        var (ofType, ofMethod) = (
            method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : null, method.IsGenericMethod ? method.GetGenericArguments() : null);
        for (var at = 0; at < code.Length;)
        {
            var instruction = code[at] == 0xFE ? Instructions[(short)(0xFE00 | code[at + 1])] : Instructions[code[at]];
            at += instruction.Size;
            if (instruction.OperandType is OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineType or OperandType.InlineTok)
            {
                var member = method.Module.ResolveMember(BitConverter.ToInt32(code, at), ofType, ofMethod);
                if (member is Type type) yield return type;
                else if (member?.DeclaringType is { } declaring) yield return declaring;
            }
            at += instruction.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + 4 * BitConverter.ToInt32(code, at),
                _ => 4,
            };
        }
    }

    /// <summary>A type, what it is an array or reference of, and its type arguments.</summary>
    private static IEnumerable<Type> Parts(Type type)
    {
        while (type.HasElementType) type = type.GetElementType()!;
        return type.IsGenericType ? type.GetGenericArguments().SelectMany(Parts).Prepend(type) : [type];
    }

    [Fact]
    public void Every_folder_has_its_place_in_the_order() =>
        Assert.Equal(
            Order.Order(StringComparer.Ordinal),
            Directory.EnumerateDirectories(Sources()).Select(folder => Path.GetFileName(folder))
                .Where(name => name is not ("bin" or "obj")).Order(StringComparer.Ordinal));

    [Fact]
    public void Namespaces_are_folders()
    {
        var sources = Sources();

        Assert.All(Order.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(sources, folder), "*.cs")), file =>
            Assert.Contains($"namespace Graft.{Path.GetFileName(Path.GetDirectoryName(file))};", File.ReadAllText(file), StringComparison.Ordinal));
    }

    [Fact]
    public void Imaging_knows_neither_torch_nor_Graft()
    {
        var referenced = typeof(ImageDecoder).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name);

        Assert.DoesNotContain(referenced, name => name is "TorchSharp" or "Graft");
    }

    [Fact]
    public async Task Header_of_a_checkpoint_is_read_without_libtorch()
    {
        using var folder = new Graft.Testing.TemporaryFolder();
        var path = folder.File("weights.safetensors");
        SafetensorsWriter.Write(path, [new("a", TensorType.Float32, [2], new float[] { 1, 2 })]);
        var start = new ProcessStartInfo(Environment.ProcessPath!);
        start.Environment[ProbeVariable] = path;

        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(NothingOfTorch, process.ExitCode);
    }

    /// <summary>This program, started again: other tests load libtorch into the first process.</summary>
    [ModuleInitializer]
    internal static void ReadHeaderIfAsked()
    {
        if (Environment.GetEnvironmentVariable(ProbeVariable) is not { } path) return;
        using (var checkpoint = Checkpoint.Open(path)) checkpoint.Read("a", new float[2]);
        var loaded = Process.GetCurrentProcess().Modules.Cast<ProcessModule>()
            .Any(module => module.ModuleName.Contains("torch", StringComparison.OrdinalIgnoreCase));
        Environment.Exit(loaded ? 1 : NothingOfTorch);
    }

    private static string Sources()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Graft.slnx"))) return Path.Combine(folder.FullName, "src", "Graft");
        Assert.Skip("The sources are not here.");
        return "";
    }
}
